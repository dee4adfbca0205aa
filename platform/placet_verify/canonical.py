"""Canonical JSON (RFC 8785), strict reading of it, and digests."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rfc8785

from placet_verify.errors import Malformed

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_CHUNK, _PIECE = 1 << 20, 1 << 16
# What CPython takes for a list, an object, a further value and a member
_WEIGHTS = ((b"[", 64), (b"{", 184), (b",", 40), (b":", 160))
# How many bytes a letter takes where the text holds one such
_WIDTHS = ((re.compile(rb"[\xf0-\xff]"), 4), (re.compile(rb"[\xc4-\xef]"), 2))
_ESCAPE = re.compile(rb"\\u[0-9A-Fa-f]{4}")  # six bytes for a letter, or for half of one
_UNSAFE = 2**53
_SAFE_DIGITS = 16  # shorter numbers are below 2^53


def dumps(value: Any) -> bytes:
    """Return the one canonical form of ``value``: sorted keys, no spaces, shortest numbers.

    Raises ``Malformed`` for what canonical JSON cannot hold: NaN, infinities, whole numbers of
    2^53 and above, lone surrogates, keys that are not text.
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise Malformed(f"this has no canonical JSON form: {error}") from None
    except UnicodeEncodeError:  # in the name of a member, by which the library sorts
        raise Malformed("this has no canonical JSON form: half of a surrogate pair") from None
    except RecursionError:
        raise Malformed("this is nested too deeply for JSON") from None


def assembled(members: Mapping[str, bytes]) -> bytes:
    """Return the canonical form of an object whose members have theirs already.

    ``assembled({"a": dumps(1)})`` is ``dumps({"a": 1})``: what is heavy can be written beforehand.
    """
    written = {name: dumps(name) + b":" + raw for name, raw in members.items()}
    in_order = sorted(written, key=lambda name: name.encode("utf-16be"))  # RFC 8785, 3.2.3
    return b"{" + b",".join(written[name] for name in in_order) + b"}"


def loads(document: bytes | str) -> Any:
    """Read JSON strictly: UTF-8, no member twice, no NaN or infinity, no trailing text.

    Whole numbers of 2^53 and above come as floats, as every JSON number is one by RFC 8785: what
    :func:`dumps` wrote can always be read and written again.
    """
    try:
        text = document.decode("utf-8") if isinstance(document, bytes) else document
        return json.loads(
            text,
            object_pairs_hook=_members,
            parse_constant=_no_constant,
            parse_int=_whole,
            parse_float=_finite,
        )
    except UnicodeDecodeError:
        raise Malformed("the document is not UTF-8") from None
    except RecursionError:
        raise Malformed("the document is nested too deeply") from None
    except ValueError as error:
        raise Malformed(f"the document is not JSON: {error}") from None


def weight(document: bytes) -> int:
    """Return about how many bytes it takes at most to read a JSON text: the text itself, decoded,
    and what is made of it. ``[],`` are three bytes that become a list of 56.

    Takes a small multiple of the document's own memory.
    """
    if b"\0" in document:  # not UTF-8: what a text is cannot be told
        return len(document) * 8 + _structure(document)
    width = next((width for letter, width in _WIDTHS if letter.search(document)), 1)
    marks, letters = _outside_and_inside_of_texts(document)
    return len(document) * width + marks + letters * (4 if b"\\u" in document else width)


def _outside_and_inside_of_texts(document: bytes) -> tuple[int, int]:
    """Return the weight of the structure, and how many letters the texts have at most."""
    plain = document.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks, letters, inside = 0, len(document) - len(plain), 0
    for start in range(0, len(plain), _PIECE):
        parts = plain[start : start + _PIECE].split(b'"')
        texts = b"".join(parts[1 - inside :: 2])
        marks += _structure(b"".join(parts[inside::2]))
        letters += len(parts) - 1 + len(texts) - 5 * len(_ESCAPE.findall(texts))
        inside ^= (len(parts) - 1) & 1
    return marks, letters


def _structure(document: bytes) -> int:
    return sum(document.count(mark) * size for mark, size in _WEIGHTS)


def digest(value: Any) -> str:
    """Return ``sha256:…`` of bytes as they are, or of the canonical form of anything else."""
    raw = bytes(value) if isinstance(value, bytes | bytearray | memoryview) else dumps(value)
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def is_digest(text: object) -> bool:
    """Tell whether ``text`` has the form ``sha256:`` and 64 lower-case hex digits."""
    return isinstance(text, str) and bool(_DIGEST.fullmatch(text))


def sha256_file(path: str | Path) -> str:
    """Return ``sha256:…`` of a file, read in pieces."""
    hasher = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
    return "sha256:" + hasher.hexdigest()


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object names a member twice")
    return members


def _whole(text: str) -> int | float:
    if len(text) < _SAFE_DIGITS:
        return int(text)
    number = _finite(text)
    return number if abs(number) >= _UNSAFE else int(text)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]}… is too large a number")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
