"""Archived events: a file that proves, without a server, that each of them is in the signed log.

It holds the events, the tiles that lead from them to the root, the signed checkpoint and the public
keys. Who has the root key needs nothing else.
"""

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from placet_verify import canonical
from placet_verify.errors import Malformed, Refused
from placet_verify.log import checkpoint, merkle
from placet_verify.log.checking import read_records
from placet_verify.log.checkpoint import Checkpoint
from placet_verify.log.merkle import TILE_HEIGHT, TILE_WIDTH
from placet_verify.log.tiles import TileSource, path, split
from placet_verify.signing.keys import KeyRing, PublicKey

ABOUT, EVENTS, CHECKPOINT = "archive.json", "events.jsonl", "checkpoint.txt"
KEYS, ROOT = "keys.json", "root.pub"
# zipfile's own: the last two for a compression that it does not know, and for what is encrypted
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
LARGEST = 64 << 20  # bytes of a member that is read whole


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself."""

    origin: str
    size: int
    first: int
    last: int
    count: int
    leaves: str


@dataclass(frozen=True, slots=True)
class OpenedArchive:
    """An archive whose every event was found in the log that ``head`` signs."""

    about: About
    head: Checkpoint
    ring: KeyRing


class _Tiles(TileSource):
    """The tiles of the file: only what it holds, each in the width that the tree's size gives."""

    def __init__(self, file: zipfile.ZipFile, size: int) -> None:
        super().__init__(size, lambda level, index: None, lambda start, end: [])
        self._file = file
        self._right: set[tuple[int, int]] = set()

    def _read(self, level: int, index: int) -> list[bytes]:
        width = min(TILE_WIDTH, (self.size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
        if width < 1:
            raise Refused("tile", f"the tree has no tile {level}/{index}")
        tile = member(self._file, path(level, index, width))
        if len(tile) != 32 * width:
            raise Refused("tile", f"tile {level}/{index} does not hold {width} hashes")
        return split(tile)

    def proven(self, level: int, index: int) -> list[bytes]:
        """Return a tile that is as the tiles above it say. One that is not full has none above: the
        root itself is made from it."""
        tile = self.tile(level, index)
        if len(tile) == TILE_WIDTH and (level, index) not in self._right:
            above = self.proven(level + 1, index // TILE_WIDTH)
            if above[index % TILE_WIDTH] != merkle.root(tile):
                raise Refused("tile", f"tile {level}/{index} is not the one that was signed")
            self._right.add((level, index))
        return tile


def verify(source: Path, root: PublicKey | None = None) -> OpenedArchive:
    """Check a whole archive. Without ``root`` its own root key is believed.

    Raises :class:`Refused` at the first thing that does not hold.
    """
    with opened(source) as file:
        key = root or PublicKey.from_pem(member(file, ROOT))
        ring = KeyRing.open(member(file, KEYS), key)
        head = checkpoint.verify(text(file, CHECKPOINT), checkpoint.log_keys(ring))
        about = _about(file)
        if (about.origin, about.size) != (head.origin, head.size):
            raise Refused("other_log", "the checkpoint is not the one that the archive names")
        tiles = _Tiles(file, head.size)
        if merkle.range_root(0, head.size, tiles) != head.root:
            raise Refused("root", "the tiles do not lead to the root that was signed")
        _check_events(file, about, tiles)
    return OpenedArchive(about, head, ring)


def body_of(source: Path, index: int) -> str:
    """Return the body of one event of an archive, or raise :class:`Refused`."""
    with opened(source) as file:
        for number, body in events(file):
            if number == index:
                return body
    raise Refused("not_there", f"event {index} is not in this archive")


def opened(source: Path) -> zipfile.ZipFile:
    """Open an archive; refuse what is none, and a name that stands there twice."""
    try:
        file = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError):  # zipfile's word for a version it cannot read
        raise Malformed("this is no archive of events (zip)") from None
    names = file.namelist()
    if len(set(names)) != len(names):
        file.close()
        raise Malformed("a name stands in the archive twice")
    return file


def member(file: zipfile.ZipFile, name: str) -> bytes:
    """Return a member whole, or refuse its absence, damage or size."""
    try:
        if file.getinfo(name).file_size > LARGEST:
            raise Malformed(f"{name} has more than {LARGEST} bytes")
        return file.read(name)
    except KeyError:
        raise Malformed(f"{name} is missing") from None
    except _DAMAGED:
        raise Malformed(f"{name} is damaged") from None


def text(file: zipfile.ZipFile, name: str) -> str:
    """Return a member as text."""
    try:
        return member(file, name).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"{name} is not UTF-8 text") from None


def events(file: zipfile.ZipFile) -> Iterator[tuple[int, str]]:
    """Yield index and body of each event, as they stand there."""
    try:
        with file.open(EVENTS) as lines:
            for index, body, _ in read_records(lines):
                if body is None or index < 0:
                    raise Malformed(f"{EVENTS} holds a line that is no event")
                yield index, body
    except KeyError:
        raise Malformed(f"{EVENTS} is missing") from None
    except _DAMAGED:
        raise Malformed(f"{EVENTS} is damaged") from None


def _check_events(file: zipfile.ZipFile, about: About, tiles: _Tiles) -> None:
    hasher, count, last = hashlib.sha256(), 0, -1
    first = None
    for index, body in events(file):
        leaf = merkle.leaf_hash(body.encode("utf-8"))
        if not last < index < about.size:
            raise Refused("order", f"event {index} stands behind event {last}")
        if tiles.proven(0, index // TILE_WIDTH)[index % TILE_WIDTH] != leaf:
            raise Refused("leaf", f"event {index} is not the one that was signed")
        hasher.update(index.to_bytes(8, "big") + leaf)
        first, last, count = index if first is None else first, index, count + 1
    declared = (about.first, about.last, about.count, about.leaves)
    if (first, last, count, f"sha256:{hasher.hexdigest()}") != declared:
        raise Refused("count", f"the archive holds {count} events, not the {about.count} it names")


def _about(file: zipfile.ZipFile) -> About:
    match canonical.loads(text(file, ABOUT)):
        case {
            "v": 1,
            "origin": str(origin),
            "size": int(size),
            "first": int(first),
            "last": int(last),
            "count": int(count),
            "leaves": str(leaves),
        }:
            return About(origin, size, first, last, count, leaves)
    raise Malformed(f"{ABOUT} does not say what the archive holds")
