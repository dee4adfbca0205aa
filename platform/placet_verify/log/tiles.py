"""Tiles of the tree (C2SP tlog-tiles): 256 hashes of every eighth level, addressed by place."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from placet_verify.log.merkle import TILE_HEIGHT, TILE_WIDTH, root

HASH = 32
FullTile = Callable[[int, int], bytes | None]
Leaves = Callable[[int, int], Sequence[bytes]]
Roots = Callable[[int, int, int], Mapping[int, bytes]]


class TileSource:
    """A source of subtree hashes (see :mod:`placet_verify.log.merkle`) that reads tiles.

    ``full_tile(level, index)`` returns a stored full tile, or ``None`` when there is none (yet);
    ``leaves(start, end)`` returns leaf hashes; ``roots(level, start, end)`` the roots of those full
    tiles of a row of which they are known. A tile that is not stored is made from the level below:
    from the roots of its tiles, or from the tiles, so that proofs work before the job has written
    the newest ones.
    """

    def __init__(
        self, size: int, full_tile: FullTile, leaves: Leaves, roots: Roots | None = None
    ) -> None:
        self.size = size
        self._full_tile = full_tile
        self._leaves = leaves
        self._roots: Roots = roots or (lambda level, start, end: {})
        self._seen: dict[tuple[int, int], list[bytes]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """Return the hash of the complete subtree at ``(level, index)``."""
        tile_level, above = divmod(level, TILE_HEIGHT)
        first = index << above
        if (index + 1) << level > self.size:
            raise IndexError(f"subtree {level}/{index} is not complete in a tree of {self.size}")
        start = first % TILE_WIDTH
        return root(self.tile(tile_level, first // TILE_WIDTH)[start : start + (1 << above)])

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile; the last one of a level may hold fewer than 256."""
        key = (level, index)
        if key not in self._seen:
            self._seen[key] = self._read(level, index)
        return self._seen[key]

    def _read(self, level: int, index: int) -> list[bytes]:
        first = index * TILE_WIDTH
        end = min(first + TILE_WIDTH, self.size >> (TILE_HEIGHT * level))
        if end - first == TILE_WIDTH and (stored := self._full_tile(level, index)) is not None:
            return split(stored)
        if level == 0:
            return list(self._leaves(first, end))
        known = self._roots(level - 1, first, end)
        return [known.get(i) or root(self.tile(level - 1, i)) for i in range(first, end)]


def split(tile: bytes) -> list[bytes]:
    """Return the hashes of a tile's bytes."""
    if len(tile) % HASH or len(tile) > HASH * TILE_WIDTH:
        raise ValueError("a tile holds up to 256 hashes of 32 bytes")
    return [tile[start : start + HASH] for start in range(0, len(tile), HASH)]


def path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return C2SP's path of a tile, e.g. ``tile/0/x001/234`` or, when partial, ``….p/17``."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    end = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{end}"


def stored(folder: Path) -> FullTile | None:
    """Return a reader of the tiles below ``folder/tile`` (level, index), each in its fullest form;
    ``None`` when there are none."""
    if not (folder / "tile").is_dir():
        return None

    def tiles(level: int, index: int) -> bytes | None:
        file = folder / path(level, index)
        if file.is_file():
            return file.read_bytes()
        partial = file.with_name(file.name + ".p")
        forms = partial.iterdir() if partial.is_dir() else ()
        widths = [form for form in forms if form.name.isdecimal()]
        return max(widths, key=lambda form: int(form.name)).read_bytes() if widths else None

    return tiles
