"""Documents of old Office, which hold files of their own in OLE compound files: whether one of
these is a project of macros. Nothing is decoded and no chain followed, so nothing in a file leads
astray: entries of directories lie at multiples of their size, whatever the sectors are."""

BEGIN = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENTRY, _NAME = 128, 64  # bytes of an entry of a directory, and of the name that it begins with
_HELD = (1, 2)  # what an entry is: a folder or a file, at this place
_TYPE = 66
# Folders and files of a project of macros: of Word, of Excel, and in either.
_MACROS = ("macros", "_vba_project_cur", "vba", "_vba_project")


def has_macros(content: bytes) -> bool:
    """Tell whether a compound file holds a project of macros, or held one whose entry is left."""
    if not content.startswith(BEGIN):
        return False
    starts = range(0, len(content) - _TYPE, _ENTRY)
    return any(content[at + _TYPE] in _HELD and _name_at(content, at) in _MACROS for at in starts)


def _name_at(content: bytes, at: int) -> str:
    name = content[at : at + _NAME].decode("utf-16-le", "replace")
    return name.partition("\0")[0].lower()
