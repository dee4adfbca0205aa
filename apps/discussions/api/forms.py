"""Comments that come with files: as a form, in the API too."""

from typing import Any

from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request

from apps.discussions.contents import SentFile
from placet.kernel.api.parsers import StrictJSONParser
from placet.kernel.bodies import FORM_TYPE

TAKES_FILES = [StrictJSONParser, MultiPartParser]


class WithFiles(serializers.Serializer[Any]):
    """What a form may have besides."""

    once = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=40,
        help_text="Of your choice: what is sent again with the same is not said twice",
    )
    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True),
        default=[],
        help_text="At most 4 files of 5 MB, 10 MB together",
    )


def is_form(request: Request) -> bool:
    """Tell whether a request's body is a form, which files may come with."""
    return (request.content_type or "").startswith(FORM_TYPE)


def with_files(sent: dict[str, Any]) -> dict[str, Any]:
    """Return a validated body with its files as actions take them; what they are called and have in
    them is for these."""
    files = [SentFile(one.name, one.read()) for one in sent.get("files", ())]
    return {**sent, "files": files}
