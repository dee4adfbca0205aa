"""Forms with files, read so that none is dropped in silence."""

from typing import Any

from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser

NAMELESS = "\u200b"  # begins what a file is called whose name comes to nothing: it is refused


class FormReader(MultiPartParser):
    """Django's, which leaves out a file whose name comes to nothing: here it has one that is
    refused, so that nobody takes their file for sent."""

    def sanitize_file_name(self, file_name: str) -> str:
        """Return a name without folders and letters that nobody sees."""
        kept = super().sanitize_file_name(file_name)
        return kept or NAMELESS + "".join(
            c for c in file_name if c.isprintable() and c not in "/\\"
        )


def read_form(request: HttpRequest, meta: dict[str, Any], stream: Any) -> tuple[Any, Any]:
    """Return the fields and the files of a form."""
    reader = FormReader(meta, stream, request.upload_handlers, request.encoding)
    return reader.parse()
