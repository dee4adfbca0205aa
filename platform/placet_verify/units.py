"""Which revision a unit gets: one function of salt, unit and weight. Standard library only.

A unit is who or what a split must treat alike: a person, a session, a device. Its point is

    the first four bytes of SHA-256(salt ‖ ":" ‖ unit), big-endian, modulo 10,000

and it gets the candidate while its point is below the candidate's weight. So a unit never goes back
while the weight grows, and anybody who has the salt can recompute every assignment. HAProxy
computes the same with its own converters.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

WHOLE = 10_000  # a weight is a number out of this
MAX_UNIT = 128  # characters
Source = Literal["header", "cookie", "json"]

FORM = (  # what is said of anything else
    'must be {"header": NAME}, {"cookie": NAME} or {"json": "/pointer"}, '
    "in names letters, digits, _ and - alone"
)

_UNIT = re.compile(rf"[ -~]{{1,{MAX_UNIT}}}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_POINTER = re.compile(r"(?:/[A-Za-z0-9_-]{1,64}){1,8}")
_SECRETS = frozenset({"authorization", "cookie", "x-api-key"})


@dataclass(frozen=True, slots=True)
class UnitSource:
    """Where the unit of a request stands: in a header, a cookie, or a member of a JSON body."""

    source: Source
    name: str

    @classmethod
    def read(cls, document: object) -> "UnitSource":
        """Read ``{"header": NAME}``, ``{"cookie": NAME}`` or ``{"json": "/pointer"}``.

        Raises ``ValueError`` with a sentence that says what to write instead.
        """
        match document:
            case {"header": str(name), **rest} if not rest and _NAME.fullmatch(name):
                if name.lower() in _SECRETS:
                    raise ValueError(f"must not be taken from {name}, which holds secrets")
                return cls("header", name)
            case {"cookie": str(name), **rest} if not rest and _NAME.fullmatch(name):
                return cls("cookie", name)
            case {"json": str(name), **rest} if not rest and _POINTER.fullmatch(name):
                return cls("json", name)
        raise ValueError(FORM)

    def __str__(self) -> str:
        return f"JSON {self.name}" if self.source == "json" else f"{self.source} {self.name}"


def unit_source(serving: Mapping[str, Any]) -> UnitSource | None:
    """Return where a serving configuration takes the unit from; ``None``: split per request."""
    return UnitSource.read(serving["unit"]) if "unit" in serving else None


def is_readable(unit: str) -> bool:
    """Tell whether this is a unit: 1 to 128 printable characters of ASCII."""
    return _UNIT.fullmatch(unit) is not None


def point(salt: str, unit: str) -> int:
    """Return the point of a unit, from 0 to 9,999."""
    digest = hashlib.sha256(f"{salt}:{unit}".encode("ascii")).digest()
    return int.from_bytes(digest[:4], "big") % WHOLE


def gets_candidate(salt: str, unit: str, weight: int) -> bool:
    """Tell whether a unit gets the candidate at ``weight`` out of 10,000."""
    return is_readable(unit) and point(salt, unit) < weight
