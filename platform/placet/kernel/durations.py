"""Lengths of time as people write and read them."""

import re

_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """Return the seconds in ``60s``, ``5m``, ``1h`` or ``7d``; ``ValueError`` for anything else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("write a whole number and a unit: 60s, 5m, 1h or 7d")
    return int(match[1]) * _SECONDS[match[2]]


def spell(total: int) -> str:
    """Return a number of seconds in at most two units, e.g. ``1 h 5 min``."""
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, total = divmod(max(total, 0), size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
