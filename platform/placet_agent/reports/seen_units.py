"""Remembers which units of a split were seen, so that each is counted once, restarts included.

A split is a salt and a weight. Requests of one unit are like each other; its first one in a split
is one trial for each unit, which is what was drawn.
"""

import os
import time
from collections import defaultdict
from pathlib import Path

from placet_agent.state import files

MAX_UNITS = 200_000  # of one node; what comes after them is not counted: the first ones suffice
FORGET_SECONDS = 3600.0  # after its last request a split is over
_MARK = 8  # bytes of a unit's digest


class SeenUnits:
    """One file for each split; a mark is the beginning of SHA-256 of salt and unit."""

    def __init__(self, folder: Path) -> None:
        self.folder = files.make_folder(folder)
        self._marks: dict[str, set[bytes]] = {}
        self._new: dict[str, list[bytes]] = defaultdict(list)
        self._last: dict[str, float] = {}
        for path in folder.iterdir():
            raw = path.read_bytes()
            if odd := len(raw) % _MARK:  # a write was cut short
                raw = raw[:-odd]
                os.truncate(path, len(raw))  # needs no room
            self._marks[path.name] = {raw[n : n + _MARK] for n in range(0, len(raw), _MARK)}
            self._last[path.name] = time.monotonic()

    def is_new(self, split: str, mark: str) -> bool:
        """Tell whether this unit of a split was never seen before, and remember it."""
        marks, raw = self._marks.setdefault(split, set()), bytes.fromhex(mark)
        self._last[split] = time.monotonic()
        if raw in marks or sum(map(len, self._marks.values())) >= MAX_UNITS:
            return False
        marks.add(raw)
        self._new[split].append(raw)
        return True

    def save(self) -> None:
        """Write down what is new, and forget splits that are over."""
        for split, marks in self._new.items():
            with (self.folder / split).open("ab") as stream:
                stream.write(b"".join(marks))
        self._new.clear()
        limit = time.monotonic() - FORGET_SECONDS
        for split in [split for split, last in self._last.items() if last < limit]:
            del self._marks[split], self._last[split]
            (self.folder / split).unlink(missing_ok=True)
