"""Comments that come with files: as a form, in the API too."""

from typing import Any

from django.http.multipartparser import MultiPartParserError
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.parsers import DataAndFiles, MultiPartParser
from rest_framework.request import Request

from apps.discussions.contents import SentFile
from placet.kernel.api.parsers import StrictJSONParser
from placet.kernel.bodies import FORM_TYPE
from placet.kernel.multipart import read_form


class FormParser(MultiPartParser):
    """Reads a form as pages do."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> "DataAndFiles[Any, Any]":
        """Return its fields and its files."""
        request = parser_context["request"]._request
        try:
            return DataAndFiles(*read_form(request, request.META, stream))
        except MultiPartParserError as error:
            raise ParseError(f"The form cannot be read: {error}") from None


TAKES_FILES = [StrictJSONParser, FormParser]


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
