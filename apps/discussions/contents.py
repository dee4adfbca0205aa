"""What people send with a comment: what it may be called, and what it is by its bytes.

What a file says of itself, by its name or by what a client calls it, decides nothing.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from placet.kernel.problems import FieldError, InvalidInput
from placet.kernel.sizes import spell_size

MOST_FILES = 4  # of one comment
FILE_BYTES, FILES_BYTES = 5_000_000, 10_000_000  # of one file, of all files of a comment
NAME_LETTERS, NAME_BYTES = 100, 200
TEXT, UNKNOWN, PROGRAM = "Text", "Unknown", "Program"
_ODD = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))  # no one sees them, or they turn text
# Default-ignorable letters that have no such category, and a blank of Braille. U+FE0F colours.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]"
)
_GAP = re.compile(r"\s{4}")  # what stands behind is out of sight
_BEGIN_BYTES = 4096  # of a text, in which a browser's tags are looked for
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|title|style|table|div|a|br|p|h1|b|img|!--)"
    rb"[\s>/]",
    re.IGNORECASE,
)
_TAG = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|script|iframe|frameset|object|embed|applet|form|input"
    rb"|button|meta|link|base|style|svg|math|img|video|audio|template|details)[\s>/]",
    re.IGNORECASE,
)
_XHTML = re.compile(rb"<(?:[\w.-]{1,40}:)?(?:html|script)[\s>/]", re.IGNORECASE)
_PROLOG = re.compile(
    rb"(?:\s++|<\?.*?\?>|<!--.*?-->|<!doctype\s+svg[^>\[]*(?:\[[^\]]*\])?[^>]*>)*+",
    re.IGNORECASE | re.DOTALL,
)
_SVG = re.compile(rb"<(?:[\w.-]+:)?svg[\s>/]", re.IGNORECASE)
# How files begin; the first that fits.
_BEGIN: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF87a", "GIF image"),
    (b"GIF89a", "GIF image"),
    (b"%PDF-", "PDF"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"PK\x05\x06", "ZIP archive"),
    (b"\x1f\x8b", "gzip archive"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x93NUMPY", "NumPy array"),
    (b"\x7fELF", PROGRAM),
    (b"MZ", PROGRAM),
    (b"\xcf\xfa\xed\xfe", PROGRAM),
    (b"\xce\xfa\xed\xfe", PROGRAM),
    (b"\xfe\xed\xfa\xce", PROGRAM),
    (b"\xfe\xed\xfa\xcf", PROGRAM),
    (b"\xca\xfe\xba\xbe", PROGRAM),
    (b"\xca\xfe\xba\xbf", PROGRAM),
    (b"!<arch>\n", PROGRAM),
    (b"\x00asm", PROGRAM),
)
# What a name ends in, where that says what the file is.
_ENDINGS = {
    ".png": "PNG image",
    ".jpg": "JPEG image",
    ".jpeg": "JPEG image",
    ".gif": "GIF image",
    ".webp": "WebP image",
    ".svg": "SVG image",
    ".pdf": "PDF",
    ".zip": "ZIP archive",
    ".docx": "ZIP archive",
    ".xlsx": "ZIP archive",
    ".pptx": "ZIP archive",
    ".npz": "ZIP archive",
    ".gz": "gzip archive",
    ".tgz": "gzip archive",
    ".parquet": "Parquet",
    ".npy": "NumPy array",
    ".h5": "HDF5",
}
_TEXTS = frozenset((".txt", ".csv", ".tsv", ".md", ".json", ".jsonl", ".log", ".yaml", ".yml"))
_OF_TEXT = frozenset((TEXT, UNKNOWN, "HTML", "XML", "Script", "SVG image"))  # in some encoding


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as it came: what it was called, and its bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that may be kept: its name without odd letters, and what its bytes are."""

    name: str
    content: bytes
    type: str


def checked(files: Sequence[SentFile]) -> list[Checked]:
    """Return files as they may be kept, or refuse them, each with what to do about it."""
    faults = [*_together(files)]
    if not faults:
        faults = [f"{shown(one.name)} {fault}" for one in files if (fault := fault_of(one))]
    if faults:
        raise InvalidInput(errors=[FieldError("/files", fault) for fault in faults])
    return [Checked(name_of(one.name), one.content, type_of(one.content)) for one in files]


def _together(files: Sequence[SentFile]) -> Iterator[str]:
    if len(files) > MOST_FILES:
        yield (
            f"{shown(files[MOST_FILES].name)} is one too many: a comment takes {MOST_FILES} files, "
            "so send the others with another comment"
        )
    names = [name_of(one.name).casefold() for one in files]
    for one, name in zip(files, names, strict=True):
        if names.count(name) > 1:
            yield f"{shown(one.name)} is there twice: give each file a name of its own"
            return
    size = sum(len(one.content) for one in files)
    if size > FILES_BYTES:
        largest = max(files, key=lambda one: len(one.content))
        yield (
            f"Together they have {spell_size(size)}, and at most {spell_size(FILES_BYTES)} may go "
            f"with a comment: send {shown(largest.name)} with another one"
        )


def fault_of(file: SentFile) -> str:
    """Return why a file is not taken and what to do, '' where it is."""
    name, size = name_of(file.name), len(file.content)
    if not name.strip(" .") or any(_is_odd(letter) for letter in name):
        return "has a name that is empty or holds letters that nobody sees: rename it"
    if _GAP.search(name):
        return "has a name with a long gap, behind which nobody looks: rename it"
    if len(name) > NAME_LETTERS or len(name.encode()) > NAME_BYTES:
        return f"has a name of more than {NAME_LETTERS} letters or {NAME_BYTES} bytes: rename it"
    if not size:
        return "is empty: leave it out"
    if size > FILE_BYTES:
        return (
            f"has {spell_size(size)}, and at most {spell_size(FILE_BYTES)} are taken: make it "
            "smaller, or say where it lies"
        )
    found = type_of(file.content)
    if found == PROGRAM:
        return "is a program: say where it lies instead"
    said = _said(name)
    if said and found not in said:
        what = "of no known type" if found == UNKNOWN else f"of the type {found}"
        return f"is called {ending_of(name)}, and its bytes are {what}: name it for what it is"
    return ""


def name_of(sent: str) -> str:
    """Return what a file is called, without the folders that it was in."""
    last = re.split(r"[/\\]", sent)[-1]
    return unicodedata.normalize("NFC", last).strip()


def _is_odd(letter: str) -> bool:
    return unicodedata.category(letter) in _ODD or bool(_BLANK.match(letter))


def shown(sent: str) -> str:
    """Return a name as a refusal can say it."""
    kept = ("\ufffd" if _is_odd(c) else c for c in name_of(sent))
    return "".join(kept)[:NAME_LETTERS] or "A file without a name"


def type_of(raw: bytes) -> str:
    """Return what bytes are, in a word or two."""
    for begin, name in _BEGIN:
        if raw.startswith(begin) and not (begin == b"MZ" and _is_text(raw)):
            return name
    if raw.startswith(b"RIFF") and raw[8:12] == b"WEBP":
        return "WebP image"
    if raw[257:262] == b"ustar":
        return "tar archive"
    return _text_type(raw)


def _text_type(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        begin = raw[: 2 * _BEGIN_BYTES].decode("utf-16", "replace").encode()
        return _marked_up(begin) or UNKNOWN
    text = raw.removeprefix(b"\xef\xbb\xbf")
    return _marked_up(text[:_BEGIN_BYTES]) or (TEXT if _is_text(text) else UNKNOWN)


def _marked_up(head: bytes) -> str:
    """Return what a text is by its beginning, '' where it is none of these."""
    prolog, begin = _PROLOG.match(head), head.lstrip()
    if _SVG.match(head, prolog.end() if prolog else 0):
        return "SVG image"
    if begin.startswith(b"<?xml"):
        return "HTML" if _XHTML.search(begin) else "XML"
    if _HTML.match(begin) or _TAG.search(begin):
        return "HTML"
    return "Script" if begin.startswith(b"#!") else ""


def _is_text(raw: bytes) -> bool:
    try:
        letters = raw.decode()
    except UnicodeDecodeError:
        return False
    return re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", letters) is None


def ending_of(name: str) -> str:
    """Return what a name ends in, as systems have it that drop what stands behind."""
    kept = name.rstrip(" .").lower()
    dot = kept.rfind(".")
    return kept[dot:] if dot >= 0 else ""


def _said(name: str) -> frozenset[str]:
    """Return what a file of this name may be; nothing where it may be anything."""
    ending = ending_of(name)
    if ending in _TEXTS:
        return _OF_TEXT
    return frozenset((_ENDINGS[ending],)) if ending in _ENDINGS else frozenset()
