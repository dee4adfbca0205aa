"""What a witness may say, and what it is shown."""

from dataclasses import dataclass
from datetime import datetime

from placet_verify.log.merkle import HashSource

LARGEST = 2**53 - 1  # the largest size that an event of ours can hold


@dataclass(frozen=True, slots=True)
class ShownCheckpoint:
    """Our newest checkpoint, the tree below it, and the size that the witness took last."""

    note: str
    size: int
    root: bytes
    tree: HashSource
    known: int


@dataclass(frozen=True, slots=True)
class Taken:
    """It holds our checkpoint now; ``line`` is its cosignature, if it is one that signs."""

    at: datetime
    line: str = ""


@dataclass(frozen=True, slots=True)
class Ahead:
    """It holds a checkpoint of this log with more events than ours."""

    size: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Forked:
    """It holds a checkpoint of this log that ours does not continue."""

    size: int
    at: datetime | None


WitnessAnswer = Taken | Ahead | Forked


class PushFailed(Exception):
    """There was no answer that can be judged; the text says why, in words."""
