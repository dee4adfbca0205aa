"""The arrays that lie beside the schema of a skops file."""

import zipfile
from collections.abc import Iterator

from workers.builder.scanning import headers, skops
from workers.builder.scanning.known import Verdict

SCHEMA = "schema.json"
MAGIC = b"\x93NUMPY"
ODD = (
    "has an array of records, dates, bytes or texts over 999 letters, which is safe in no skops "
    "file: write it as ONNX, or have the policy allow code-carrying"
)


def told(archive: zipfile.ZipFile, *, called_so: bool) -> Iterator[tuple[Verdict, str]]:
    """Yield what is at fault with the arrays of an archive that skops may read, whatever its name.

    The estimators that can be safe have numbers, truth values and texts; of records, dates and
    bytes without a type their compiled code would have to be argued anew.
    """
    names = set(archive.namelist())
    raw = b""
    if SCHEMA in names:
        with archive.open(SCHEMA) as schema:
            raw = schema.read(skops.MAX_SCHEMA + 1)
    try:
        named = skops.files_of(raw) if raw and (called_so or skops.is_schema(raw)) else set()
    except skops.NotSkops:
        return  # its reader says so of the schema itself
    missing = sorted(named - names) if raw else [SCHEMA]
    if called_so and missing:
        yield "unknown", f"lacks {ascii(missing[0])[1:-1][:80]}, which its schema names"
    if not all(_is_plain(archive, name) for name in named & names):
        yield "code-carrying", ODD


def _is_plain(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as member:
        try:
            plain = member.read(len(MAGIC)) == MAGIC
            member.seek(0)
            return plain and headers.numpy_values(member)
        except headers.NotOne:
            return False
