"""Reads members of what a node says: a default for an absent one, a cut for a long one.

However well it is signed, it is data from outside: nothing of it is taken without a bound. What is
refused is a ``ProtocolError`` with a JSON pointer.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from placet_protocol.fields import ProtocolError
from placet_verify.numbers import is_whole

T = TypeVar("T")
MAX_ROWS, MAX_DETAIL = 500, 2000
MAX_WHOLE = 2**53 - 1
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
# What leads a terminal, or turns the direction of what stands beside it on a page.
_UNSEEN = re.compile("[\x01-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CODE = re.compile(r"[A-Za-z0-9_]{1,40}")


def fault(pointer: str, wanted: str) -> ProtocolError:
    """Return the error that says what must stand at ``pointer``."""
    return ProtocolError(f"Must be {wanted}", pointer)


def whole(data: Any, name: str, at: str, high: int = MAX_WHOLE) -> int:
    """Return a whole number from 0 to ``high``, 0 when it is absent."""
    value = data.get(name, 0) if isinstance(data, dict) else None
    if not is_whole(value, 0, high):
        raise fault(f"{at}/{name}", f"a whole number from 0 to {high}")
    return value


def is_text(value: object) -> bool:
    """Tell whether PostgreSQL, and UTF-8, can hold a text: no NUL, no half of a pair."""
    return isinstance(value, str) and _NO_TEXT.search(value) is None


def text(data: Any, name: str, at: str, limit: int = MAX_DETAIL) -> str:
    """Return a text cut at ``limit`` characters, '' when it is absent."""
    value = data.get(name, "") if isinstance(data, dict) else None
    if not is_text(value):
        raise fault(f"{at}/{name}", "text")
    return str(value)[:limit]


def storable(value: str) -> str:
    """Return a text with a mark in the place of what PostgreSQL, or UTF-8, cannot hold, and of
    what cannot be seen but changes what is."""
    return _UNSEEN.sub("\ufffd", _NO_TEXT.sub("\ufffd", value))


def told(data: Any, name: str, at: str, limit: int = MAX_DETAIL) -> str:
    """Return free text, cut and ``storable``, '' when it is absent.

    Part of it may be what a replica printed: whatever that is, it must not stop a report.
    """
    value = data.get(name, "") if isinstance(data, dict) else None
    if not isinstance(value, str):
        raise fault(f"{at}/{name}", "text")
    return storable(value[:limit])


def moment(data: Any, name: str, at: str, absent: str = "") -> str:
    """Return a time with its zone, as it was written; ``absent`` is one for where none stands."""
    value = text(data, name, at, 40) or absent
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise fault(f"{at}/{name}", "a time with its zone") from None
    return value


def matching(data: Any, name: str, at: str, shape: re.Pattern[str]) -> str:
    """Return a text of this shape, '' for any other."""
    value = text(data, name, at, 64)
    return value if shape.fullmatch(value) else ""


def word(data: Any, name: str, at: str, known: tuple[str, ...], other: str) -> str:
    """Return one of the ``known`` words; ``other`` stands for what is absent or not known here."""
    value = text(data, name, at, 64)
    return value if value in known else other


def code(data: Any, name: str, at: str) -> str:
    """Return a word of letters, digits and ``_``."""
    value = text(data, name, at, 41)
    if not _CODE.fullmatch(value):
        raise fault(f"{at}/{name}", "a word")
    return value


def rows(data: Any, name: str, read: Callable[[Any, str], T], limit: int = MAX_ROWS) -> list[T]:
    """Return a list whose items ``read`` reads, each with its pointer; empty when absent."""
    items = data.get(name, []) if isinstance(data, dict) else None
    if not isinstance(items, list) or len(items) > limit:
        raise fault(f"/{name}", f"a list of at most {limit}")
    return [read(item, f"/{name}/{index}") for index, item in enumerate(items)]
