"""Which predictions are captured, and how much of each. Standard library only.

A prediction is captured when

    the first four bytes of SHA-256(prediction id), big-endian, modulo 10,000

is below its share of 10,000. So it is a function of the id alone: both revisions of a copied
request capture it or neither does, and anybody can recompute what should have been captured.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from placet_verify.numbers import is_number, is_whole
from placet_verify.units import WHOLE

REDACTED = "[redacted]"  # what a service writes in the place of a value that is to stay with it
PERSONAL = "personal"  # the tag that is redacted unless the approved configuration says otherwise
TAG = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,38}[a-z0-9])?")
MAX_TAGS = 10
_KNOWN = frozenset({"percent", "redact", "days", "max_bytes"})


@dataclass(frozen=True, slots=True)
class Capture:
    """What a release was approved to capture; nothing is without it."""

    percent: float
    redact: tuple[str, ...] = (PERSONAL,)  # columns with one of these tags are never written
    days: int = 30  # then it is deleted
    max_bytes: int = 16_384  # of the inputs and the output of one prediction, as JSON

    @classmethod
    def read(cls, document: object) -> "Capture":
        """Read ``{"percent": 10, "redact": ["personal"], "days": 30, "max_bytes": 16384}``.

        Only ``percent`` must be given. Raises ``ValueError`` with a sentence that names the member.
        """
        if not isinstance(document, Mapping) or not {"percent"} <= set(document) <= _KNOWN:
            raise ValueError(
                "must be an object with percent and perhaps redact, days and max_bytes"
            )
        members: dict[str, Any] = dict(document)
        percent = members["percent"]
        if not is_number(percent):
            raise ValueError("percent must be a number above 0, at most 100")
        if not 0.01 <= percent <= 100:
            raise ValueError("percent must be at least 0.01 and at most 100")
        tags = members.get("redact", [PERSONAL])
        if not isinstance(tags, list) or len(tags) > MAX_TAGS or not all(map(is_tag, tags)):
            raise ValueError(
                f"redact must be at most {MAX_TAGS} tags: small letters, digits, _ and -"
            )
        return cls(
            percent,
            tuple(sorted(set(tags))),
            _whole(members, "days", 30, 1, 366),
            _whole(members, "max_bytes", 16_384, 64, 65_536),
        )

    @property
    def document(self) -> dict[str, Any]:
        """The settings as a serving configuration writes them."""
        return {
            "percent": self.percent,
            "redact": [*self.redact],
            "days": self.days,
            "max_bytes": self.max_bytes,
        }

    def told(self, unit: object) -> str:
        """Return what a service is told: these settings, and where it finds the ``unit``."""
        return json.dumps({**self.document, "unit": unit}, sort_keys=True)

    def __str__(self) -> str:
        without = f", without what is tagged {', '.join(self.redact)}" if self.redact else ""
        return f"{self.percent:g}% for {self.days} days{without}"


def is_tag(text: object) -> bool:
    """Tell whether this can be the tag of a column."""
    return isinstance(text, str) and TAG.fullmatch(text) is not None


def capture_of(serving: Mapping[str, Any]) -> Capture | None:
    """Return what a serving configuration says of capture; ``None``: nothing is captured."""
    return Capture.read(serving["capture"]) if "capture" in serving else None


def is_captured(prediction: str, percent: float) -> bool:
    """Tell whether the prediction of this id is captured at ``percent``."""
    digest = hashlib.sha256(prediction.encode()).digest()
    return int.from_bytes(digest[:4], "big") % WHOLE < round(percent * 100)


def _whole(document: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = document.get(name, default)
    if not is_whole(value, low, high):
        raise ValueError(f"{name} must be a whole number from {low} to {high}")
    return value
