"""Checking a whole log: every leaf, every tile, every checkpoint, and where the first fault is.

The log comes as a stream and is held nowhere: hashes are made in batches, and only unfinished
tiles stay in memory. Without a checkpoint from outside, a log can only be shown to agree with
itself; with one, nothing before it can have been changed, removed or put in.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from placet_verify import canonical
from placet_verify.errors import Malformed
from placet_verify.log import merkle, seals
from placet_verify.log.merkle import TILE_HEIGHT, TILE_WIDTH, Frontier
from placet_verify.signing.keys import KeyRing

LeafRecord = tuple[int, str | None, bytes]  # index, body (None when it may not be seen), leaf hash
SizeAndRoot = tuple[int, bytes]  # size, root
Tiles = Callable[[int, int], bytes | None]

_BATCH = 32 * TILE_WIDTH
_HASH = 32
_UNKNOWN = (-1, None, b"")
_MOST_UNSEALED = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place that is wrong: ``leaf 5``, ``tile 0/3``, ``size``, ``checkpoint 100``."""

    place: str
    sentence: str


@dataclass(frozen=True, slots=True)
class LogReport:
    """What was checked. ``heads`` are the sizes of the checkpoints that the log agrees with.

    ``unsealed`` are events that claim to vouch for access without a good seal (the first of them):
    they count for nothing, but somebody appended them.
    """

    size: int
    root: bytes
    bodies: int
    tiles: int
    heads: tuple[int, ...]
    fault: Fault | None
    unsealed: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        """Tell whether nothing is wrong."""
        return self.fault is None and not self.unsealed


class LogFault(Exception):
    """Carries the first fault out of the loop."""

    def __init__(self, place: str, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = Fault(place, sentence)


def verify_log(
    records: Iterable[LeafRecord],
    *,
    heads: Iterable[SizeAndRoot] = (),
    tiles: Tiles | None = None,
    complete: bool = False,
    canonical_bodies: bool = False,
    monotone: bool = False,
    ring: KeyRing | None = None,
    start: Frontier | None = None,
) -> LogReport:
    """Check a log and name the first place at fault, if any.

    ``heads`` are the sizes and roots of trusted checkpoints; ``tiles(level, index)`` returns
    stored tiles or ``None``. ``complete`` says that the newest checkpoint covers all of it.
    ``canonical_bodies`` and ``monotone`` also read every body: its JSON must be canonical and its
    ``at`` never before the one of the leaf before. They are slow beside the hashing. With ``ring``
    the seal of each event that vouches for access is checked. With ``start`` the records and heads
    are those that come after a tree which is known; it is grown.
    """
    checker = _Checker(sorted(heads), tiles, complete, start)
    if canonical_bodies or monotone:
        checker.reader = _BodyReader(canonical_bodies, monotone)
    checker.ring = ring
    return checker.run(iter(records))


@dataclass(slots=True)
class _BodyReader:
    """Reads bodies one by one, where that was asked for."""

    canonical_form: bool
    monotone: bool
    last: str = ""

    def read(self, index: int, body: str) -> None:
        try:
            members = canonical.loads(body)
            exact = not self.canonical_form or canonical.dumps(members) == body.encode("utf-8")
        except Malformed as error:
            raise LogFault(f"leaf {index}", f"leaf {index}: {error}") from None
        if not exact or not isinstance(members, dict):
            raise LogFault(f"leaf {index}", f"leaf {index}: the body is not canonical JSON")
        if self.monotone:
            self._compare(index, members)

    def _compare(self, index: int, members: dict[str, Any]) -> None:
        at = members.get("at")
        if not isinstance(at, str) or at < self.last:
            raise LogFault(f"leaf {index}", f"leaf {index}: its time is before the one before it")
        self.last = at


@dataclass(frozen=True, slots=True)
class _Suspect:
    """The first tile that differs from the records; which of the two is wrong shows later."""

    level: int
    index: int
    made: list[bytes]
    given: bytes

    @property
    def place(self) -> str:
        return f"tile {self.level}/{self.index}"

    @property
    def offset(self) -> int:
        """The first hash in the tile that differs."""
        for offset, computed in enumerate(self.made):
            if self.given[offset * _HASH : (offset + 1) * _HASH] != computed:
                return offset
        return len(self.made)

    @property
    def first_leaf(self) -> int:
        """The first leaf below the hash that differs."""
        return (self.index * TILE_WIDTH + self.offset) << (TILE_HEIGHT * self.level)


class _Checker:
    def __init__(
        self,
        heads: list[SizeAndRoot],
        tiles: Tiles | None,
        complete: bool,
        start: Frontier | None,
    ) -> None:
        self.heads, self.tiles, self.complete = heads, tiles, complete
        self.frontier = start or Frontier(self._tile if tiles else None)
        self.known = self.frontier.size
        self.reader: _BodyReader | None = None
        self.ring: KeyRing | None = None
        self.unsealed: list[Fault] = []
        self.suspect: _Suspect | None = None
        self.agreed: list[int] = []
        self.bodies = self.tiles_seen = 0
        self.records_wrong = False  # a checkpoint says so

    def run(self, records: Iterator[LeafRecord]) -> LogReport:
        fault = None
        try:
            self._stream(records)
            self._end()
        except LogFault as error:
            fault = error.fault
        if self.suspect is None:
            self._check_unfinished(ended=fault is None)
        fault = self._resolve(self.suspect) if self.suspect else fault
        heads = tuple(self.agreed)
        frontier = self.frontier
        return LogReport(
            frontier.size,
            frontier.root(),
            self.bodies,
            self.tiles_seen,
            heads,
            fault,
            tuple(self.unsealed),
        )

    def _stream(self, records: Iterator[LeafRecord]) -> None:
        waiting = list(self.heads)
        while True:
            while waiting and waiting[0][0] == self.frontier.size:
                self._check_head(waiting.pop(0))
            limit = waiting[0][0] - self.frontier.size if waiting else _BATCH
            batch = list(islice(records, min(limit, _BATCH)))
            if not batch:
                return
            self._batch(batch)

    def _batch(self, batch: list[LeafRecord]) -> None:
        """Check a batch at full speed; only when something is wrong look where."""
        start = self.frontier.size
        indexes, bodies, hashes = (list(column) for column in zip(*batch, strict=True))
        computed = _hash_all(bodies, hashes)
        right = (
            computed == hashes
            and indexes == list(range(start, start + len(batch)))
            and set(map(len, hashes)) == {_HASH}
        )
        if not right:
            self._locate(batch, start)
        if self.ring is not None:
            self._check_seals(batch, self.ring)
        if self.reader is not None:
            self._read(batch)
        self.bodies += len(bodies) - bodies.count(None)
        self.frontier.extend(computed)

    def _locate(self, batch: list[LeafRecord], start: int) -> None:
        """Take in the leaves before the first fault, then raise it."""
        for position, record in enumerate(batch):
            if sentence := _record_fault(record, start + position):
                self.frontier.extend([bytes(leaf) for _, _, leaf in batch[:position]])
                self.bodies += sum(body is not None for _, body, _ in batch[:position])
                raise LogFault(f"leaf {start + position}", f"leaf {start + position}: {sentence}")
        raise AssertionError("a batch differs, but none of its records does")

    def _check_seals(self, batch: list[LeafRecord], ring: KeyRing) -> None:
        for index, body, _ in batch:
            if body is None or len(self.unsealed) >= _MOST_UNSEALED:
                continue
            if sentence := seals.fault(body, index, ring):
                self.unsealed.append(Fault(f"leaf {index}", f"leaf {index}: {sentence}"))

    def _read(self, batch: list[LeafRecord]) -> None:
        assert self.reader is not None
        for position, (index, body, _) in enumerate(batch):
            if body is None:
                continue
            try:
                self.reader.read(index, body)
            except LogFault:
                self.frontier.extend([bytes(leaf) for _, _, leaf in batch[:position]])
                raise

    def _check_head(self, head: SizeAndRoot) -> None:
        size, root = head
        if self.frontier.root() != root:
            self.records_wrong = True
            first = self.agreed[-1] if self.agreed else self.known
            raise LogFault(
                f"checkpoint {size}",
                f"the root over {size} leaves differs from checkpoint {size}: "
                f"the fault lies in leaves {first} to {size - 1}",
            )
        self.agreed.append(size)

    def _end(self) -> None:
        size = self.frontier.size
        newest = self.heads[-1][0] if self.heads else size
        if newest > size or (self.complete and newest != size):
            self.records_wrong = True
            raise LogFault("size", f"size: checkpoint says {newest}, the log has {size}")

    def _tile(self, level: int, index: int, computed: Sequence[bytes]) -> None:
        assert self.tiles is not None
        stored = self.tiles(level, index)
        if stored is None:
            return
        self.tiles_seen += 1
        joined = b"".join(computed)
        if self.suspect is None and not _agree(joined, stored, full=True):
            self.suspect = _Suspect(level, index, list(computed), stored)

    def _check_unfinished(self, *, ended: bool) -> None:
        """Compare the tiles that are begun, and see whether stored tiles go on past the end."""
        for level, index, computed in self.frontier.unfinished() if self.tiles else ():
            stored = self.tiles(level, index) if self.tiles else None
            if stored is None:
                continue
            if not _agree(b"".join(computed), stored, full=False):
                self.suspect = _Suspect(level, index, computed, stored)
                return
            if ended and len(stored) > len(computed) * _HASH:
                self.suspect = _Suspect(level, index, computed, stored)
                return

    def _resolve(self, suspect: _Suspect) -> Fault:
        """Say whether the tile or a record is wrong, by what else is known."""
        leaf, offset = suspect.first_leaf, suspect.offset
        if offset == len(suspect.made) < TILE_WIDTH and len(suspect.given) % _HASH == 0:
            size = self.frontier.size
            return Fault("size", f"size: {suspect.place} goes on, but the log has only {size}")
        if suspect.level == 0 and not self._records_right(suspect, leaf):
            return Fault(
                f"leaf {leaf}", f"leaf {leaf}: its leaf hash is not the one in {suspect.place}"
            )
        return Fault(
            suspect.place,
            f"{suspect.place} does not match: hash {offset} (from leaf {leaf} on) differs",
        )

    def _records_right(self, suspect: _Suspect, leaf: int) -> bool:
        if any(size > leaf for size in self.agreed):
            return True
        if self.records_wrong:
            return False
        parent = self.tiles(1, suspect.index // TILE_WIDTH) if self.tiles else None
        if parent is None or len(suspect.given) != TILE_WIDTH * _HASH:
            return True
        start = suspect.index % TILE_WIDTH * _HASH
        hashes = [suspect.given[i : i + _HASH] for i in range(0, len(suspect.given), _HASH)]
        return merkle.root(hashes) != parent[start : start + _HASH]


def _hash_all(bodies: list[str | None], hashes: list[bytes]) -> list[bytes]:
    sha256 = hashlib.sha256
    try:
        return [
            bytes(leaf) if body is None else sha256(b"\x00" + body.encode()).digest()
            for body, leaf in zip(bodies, hashes, strict=True)
        ]
    except UnicodeEncodeError:
        return []


def _record_fault(record: LeafRecord, expected: int) -> str:
    index, body, leaf = record
    if record == _UNKNOWN:
        return "its record cannot be read"
    if index != expected:
        return f"it is missing; leaf {index} stands in its place"
    if len(leaf) != _HASH:
        return "its leaf hash is not 32 bytes"
    if body is None:
        return ""
    try:
        computed = merkle.leaf_hash(body.encode("utf-8"))
    except UnicodeEncodeError:
        return "the body is not UTF-8 text"
    return "" if computed == leaf else "the body does not hash to its leaf hash"


def _agree(computed: bytes, stored: bytes, *, full: bool) -> bool:
    if full:
        return computed == stored
    return len(stored) % _HASH == 0 and (stored.startswith(computed) or computed.startswith(stored))


def read_records(lines: Iterable[bytes | str]) -> Iterator[LeafRecord]:
    """Read the lines of an export: ``{"index": n, "body": text or null, "leaf_hash": hex}``.

    A line that is none of this becomes a record that no check accepts, so that the fault has the
    place of its leaf.
    """
    loads = canonical.loads
    for line in lines:
        try:
            match loads(line):
                case {"index": int(index), "body": str() | None as body, "leaf_hash": str(text)}:
                    yield index, body, bytes.fromhex(text)
                case _:
                    yield _UNKNOWN
        except (ValueError, Malformed):
            yield _UNKNOWN
