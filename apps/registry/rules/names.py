"""What models, aliases and files may be called."""

import re
import unicodedata

from placet.kernel.problems import FieldError
from placet_verify.archive import ArchiveRefused, check_name
from placet_verify.permit.variables import declaration_faults

_NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_PYTHON = re.compile(r"3\.(1[0-9])")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# A Bento holds the path below src/artifact/, and no name of more than 400 bytes
MAX_PATH_BYTES, MAX_SEGMENT_BYTES, MAX_DEPTH = 387, 200, 20


def model_name_faults(name: str) -> list[FieldError]:
    """A model is called like ``breast-cancer``: it stands in URLs, tags and file names."""
    if len(name) <= 80 and _NAME.fullmatch(name):
        return []
    return [
        FieldError("/name", "Lower-case letters, digits, single '-' or '_' between, at most 80")
    ]


def alias_faults(name: str) -> list[FieldError]:
    """An alias is a name that cannot be taken for a version number."""
    if len(name) > 60 or not _NAME.fullmatch(name):
        return [
            FieldError(
                "/alias", "Lower-case letters, digits, single '-' or '_' between, at most 60"
            )
        ]
    if name == "latest" or re.fullmatch(r"v?[0-9]+", name):
        return [FieldError("/alias", f"{name!r} would be taken for a version: choose another")]
    return []


def reserved_alias_faults(name: str) -> list[FieldError]:
    """``live-production`` tells what is live in production: nobody but a release says so."""
    if not name.startswith("live-"):
        return []
    return [
        FieldError("/alias", "Names that begin with 'live-' are set by releases: choose another")
    ]


def label_faults(label: str) -> list[FieldError]:
    """A signing key is called like ``release-team``."""
    if len(label) <= 40 and _NAME.fullmatch(label):
        return []
    return [
        FieldError("/label", "Lower-case letters, digits, single '-' or '_' between, at most 40")
    ]


def python_version_faults(version: str) -> list[FieldError]:
    """A version names a minor release of Python, or leaves it to the platform."""
    if version == "" or _PYTHON.fullmatch(version):
        return []
    return [FieldError("/python_version", "A minor version such as 3.13")]


def path_faults(path: str, pointer: str = "/path") -> list[FieldError]:
    """A file's path is relative, inside the artifact, and means the same on every system."""
    problem = _path_problem(path)
    return [FieldError(pointer, problem)] if problem else []


def _path_problem(path: str) -> str:
    if not path or len(path.encode("utf-8", "replace")) > MAX_PATH_BYTES:
        return f"A path has 1 to {MAX_PATH_BYTES} bytes"
    if any(unicodedata.category(c) in _HIDDEN_CATEGORIES for c in path):
        return "A path may not hold control, invisible or unassigned characters"
    if unicodedata.normalize("NFC", path) != path:
        return "Write the path in Unicode normal form C"
    if any(c in path for c in '\\:*?"<>|'):
        return "A path may not hold any of \\ : * ? \" < > |; folders are separated by '/'"
    segments = path.split("/")
    if len(segments) > MAX_DEPTH:
        return f"A path may be at most {MAX_DEPTH} folders deep"
    for segment in segments:
        if segment in {"", ".", ".."}:
            return "A path is relative, without '..', '.' or empty parts"
        if segment != segment.strip() or segment.endswith("."):
            return "A part of a path may not begin or end with a space, nor end with a dot"
        if len(segment.encode("utf-8")) > MAX_SEGMENT_BYTES:
            return f"A part of a path may have at most {MAX_SEGMENT_BYTES} bytes"
    return _packing_problem(path)


def _packing_problem(path: str) -> str:
    """A Bento holds the files under their names: what cannot be packed is refused at once."""
    try:
        check_name(path)
    except ArchiveRefused as refused:
        return f"{refused.sentence}: choose another"
    return ""


def variable_faults(names: list[str], pointer: str = "/variables") -> list[FieldError]:
    """Return what is wrong with the names of variables that a version declares."""
    return [
        FieldError(
            pointer if index is None else f"{pointer}/{index}", detail[:1].upper() + detail[1:]
        )
        for index, detail in declaration_faults(names)
    ]
