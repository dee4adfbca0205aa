"""How much a version may say of itself: whatever changes of it, the log gets its whole row."""

import json
import re
from collections.abc import Mapping
from typing import Any

from placet.kernel.problems import FieldError
from placet_verify import canonical

MAX_BYTES = 2 * 1024**2  # of a draft: as much as one request brings
MAX_FROZEN_BYTES = 4 * 1024**2  # with what files add: the example of an image has 3 MB
SMALL = re.compile(rb"[0-9]e-([0-9]{2,3})(?![0-9A-Za-z-])")  # a fraction, as Python writes it
MAX_WEIGHT = 32 * 1024**2  # in memory; each page about the version reads all of it


def size_faults(fields: Mapping[str, Any], most: int = MAX_BYTES) -> list[FieldError]:
    """Return which of ``fields`` is the largest when they have more than ``most`` bytes of JSON
    together, or take more than ``MAX_WEIGHT`` when they are read."""
    texts = {name: _text(value) for name, value in fields.items()}
    bounds = (
        ({name: _bytes(text) for name, text in texts.items()}, most, "as JSON"),
        ({n: canonical.weight(t) for n, t in texts.items()}, MAX_WEIGHT, "of memory, once read"),
    )
    for sizes, limit, what in bounds:
        if sum(sizes.values()) > limit:
            largest = max(sizes, key=lambda name: sizes[name])
            return [FieldError(f"/{largest}", _too_large(sizes, limit, what))]
    return []


def _too_large(sizes: Mapping[str, int], limit: int, what: str) -> str:
    *names, last = sizes
    return (
        f"{', '.join(names)} and {last} may have {limit >> 20} MiB together {what}, and have "
        f"{sum(sizes.values()) / 2**20:.1f} MiB, most of it here: say less, and upload the rest "
        "as a file of the version"
    )


def _bytes(text: bytes) -> int:
    """Return how many bytes PostgreSQL answers with: it writes 5e-324 with all its zeros."""
    return len(text) + sum(int(exponent) for exponent in SMALL.findall(text))


def _text(value: Any) -> bytes:
    """Return about the canonical form, which takes a hundred times as long to write."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str, skipkeys=True)
    return text.encode("utf-8", "replace")
