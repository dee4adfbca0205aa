"""Witnesses that only keep what they are given: where nobody can take it back.

They sign nothing, but a checkpoint of ours that lies there is signed by our own log key, and so
shows what this log was.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from apps.audit.witnesses.answers import (
    Ahead,
    Forked,
    PushFailed,
    ShownCheckpoint,
    Taken,
    WitnessAnswer,
)
from placet.kernel.clock import now
from placet.kernel.keystore import ring
from placet_verify.errors import Refused
from placet_verify.log import checkpoint, merkle

MOST_READ = 50  # notes that are read until one is ours: others may have been put before it


@dataclass(frozen=True, slots=True)
class ShelvedNote:
    """A note that lies there, and since when."""

    size: int
    note: str
    at: datetime


class Shelf(Protocol):
    """A place for notes."""

    def newest(self) -> Iterator[ShelvedNote]:
        """Yield what lies there, the largest size first. Raises :class:`PushFailed`."""
        ...

    def add(self, size: int, note: str) -> None:
        """Put a note there, never in the place of another. Raises :class:`PushFailed`."""
        ...


def push(shelf: Shelf, shown: ShownCheckpoint) -> WitnessAnswer:
    """Compare with the newest of our checkpoints that lies there, then put the shown one there."""
    newest = _newest_of_ours(shelf)
    if newest is None:
        if shown.known:
            raise PushFailed(f"The checkpoint over {shown.known} events is not there any more")
    else:
        head, at = newest
        if head.size > shown.size:
            return Ahead(head.size, at)
        if merkle.range_root(0, head.size, shown.tree) != head.root:
            return Forked(head.size, at)
        if head.size < shown.known:
            raise PushFailed(f"The checkpoint over {shown.known} events is not there any more")
        if head.size == shown.size:
            return Taken(at)
    shelf.add(shown.size, shown.note)
    return Taken(now())


def _newest_of_ours(shelf: Shelf) -> tuple[checkpoint.Checkpoint, datetime] | None:
    """Return the newest note that a log key of ours signed; others count for nothing."""
    keys = checkpoint.log_keys(ring())
    for index, kept in enumerate(shelf.newest()):
        if index >= MOST_READ:
            raise PushFailed(f"The newest {MOST_READ} notes there are not signed by this log")
        try:
            head = checkpoint.verify(kept.note, keys)
        except Refused:
            continue
        if head.size == kept.size:
            return head, kept.at
    return None
