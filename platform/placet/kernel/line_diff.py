"""What differs between two texts, line by line, in a bounded time."""

import difflib
import re
from collections import Counter

MAX_LINES = 2000
MAX_STEPS = 10_000_000  # that a comparison may take; about a second
AROUND = 3  # equal lines that are shown around others
CUT = " … and more: more lines differ than are shown here"


def line_diff(
    before: str, after: str, labels: tuple[str, str], *, steps: int = MAX_STEPS
) -> list[str]:
    """Return the unified diff of two texts, cut after 2,000 lines, which the last one says then.

    What would take more than so many ``steps`` to compare is shown as one replaced by the other,
    each cut to its part of those lines.
    """
    old, new = before.splitlines(), after.splitlines()
    if old == new:
        return []
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    start, end = max(0, head - AROUND), max(0, tail - AROUND)
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if _steps(old, new) > steps:
        lines = _replaced(old, new, labels)
    else:
        lines = [*difflib.unified_diff(old, new, *labels, lineterm="", n=AROUND)]
    lines = [_moved(line, start) if line.startswith("@@ ") else line for line in lines]
    return lines if len(lines) <= MAX_LINES else [*lines[: MAX_LINES - 1], CUT]


def _common(old: list[str], new: list[str]) -> int:
    """Return with how many equal lines both begin."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))


def _steps(old: list[str], new: list[str]) -> int:
    """Return how many steps comparing may take: ``difflib`` looks at all pairs of equal lines anew
    for each block that it finds, and there may be as many as equal lines. Lines that come often
    in a long text, such as empty ones, it does not pair (``SequenceMatcher``, ``autojunk``)."""
    often = len(new) // 100 + 1 if len(new) >= 200 else len(new)
    counts = {line: count for line, count in Counter(new).items() if count <= often}
    pairs = [counts[line] for line in old if line in counts]
    return len(pairs) * (len(old) + sum(pairs))


def _replaced(old: list[str], new: list[str], labels: tuple[str, str]) -> list[str]:
    half = MAX_LINES // 2 - 2
    head = [f"--- {labels[0]}", f"+++ {labels[1]}", f"@@ -1,{len(old)} +1,{len(new)} @@"]
    cut = [CUT] if max(len(old), len(new)) > half else []
    return [*head, *(f"-{line}" for line in old[:half]), *(f"+{line}" for line in new[:half]), *cut]


def _moved(line: str, by: int) -> str:
    """Return the head of a hunk for lines that stand so many further down."""
    return re.sub(r"(?<=[-+])\d+", lambda number: str(int(number[0]) + by), line)
