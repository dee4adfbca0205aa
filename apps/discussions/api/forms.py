"""Comments that come with files: as a form, in the API too."""

from typing import Any

from rest_framework import serializers
from rest_framework.parsers import MultiPartParser

from apps.discussions.contents import SentFile
from placet.kernel.api.parsers import StrictJSONParser

TAKES_FILES = [StrictJSONParser, MultiPartParser]


def once_field() -> serializers.CharField:
    """Return the field by which a form that is sent again says nothing twice."""
    text = "Of your choice: what is sent again with the same is not said twice"
    return serializers.CharField(default="", allow_blank=True, max_length=40, help_text=text)


def files_field() -> "serializers.ListField":
    """Return the field of the files: what they are called and have in them is for the action."""
    one = serializers.FileField(allow_empty_file=True)
    text = "At most 4 files of 5 MB, 10 MB together; with a form alone"
    return serializers.ListField(child=one, default=[], help_text=text)


def with_files(sent: dict[str, Any]) -> dict[str, Any]:
    """Return a validated body with its files as actions take them."""
    files = [SentFile(one.name, one.read()) for one in sent["files"]]
    return {**sent, "files": files}
