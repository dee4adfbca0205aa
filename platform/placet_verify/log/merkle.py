"""The Merkle tree of RFC 6962: hashes, roots, proofs, and an incremental tree of tiles.

Proofs are made from a *source*: a function that returns the hash of the complete subtree at
``(level, index)``, level 0 being the leaves. A server feeds it from tiles and never loads all
leaves; :func:`source_of` feeds it from a list.
"""

import hashlib
from collections.abc import Callable, Sequence

HashSource = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

_sha256 = hashlib.sha256


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ data) (RFC 6962, section 2.1)."""
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right) (RFC 6962, section 2.1)."""
    return _sha256(b"\x01" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes (or over the hashes of any one complete level).

    Level by level, a last odd node going up as it is: the same tree as the recursive definition,
    without a Python call for each node.
    """
    level = list(hashes)
    if not level:
        return EMPTY_ROOT
    sha256 = _sha256
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        level += odd
    return level[0]


def source_of(hashes: Sequence[bytes]) -> HashSource:
    """Return a source over leaf hashes in memory."""
    levels = [list(hashes)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = zip(below[::2], below[1::2], strict=False)
        levels.append([node_hash(left, right) for left, right in pairs])

    def source(level: int, index: int) -> bytes:
        return levels[level][index]

    return source


def range_root(start: int, end: int, source: HashSource) -> bytes:
    """Return the root over the leaves ``start`` to ``end``, where ``start`` begins a subtree."""
    count = end - start
    if count == 0:
        return EMPTY_ROOT
    if count & (count - 1) == 0 and start % count == 0:
        level = count.bit_length() - 1
        return source(level, start >> level)
    middle = start + _split(count)
    return node_hash(range_root(start, middle, source), range_root(middle, end, source))


def inclusion_proof(index: int, size: int, source: HashSource) -> list[bytes]:
    """Return the hashes that lead from leaf ``index`` to the root of the first ``size`` leaves."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(range_root(middle, end, source))
            end = middle
        else:
            path.append(range_root(start, middle, source))
            start = middle
    return path[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes
) -> bool:
    """Tell whether ``proof`` shows leaf hash ``leaf`` at ``index`` under ``expected_root``."""
    if not 0 <= index < size:
        return False
    position, last, computed = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            computed = node_hash(step, computed)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, step)
        position, last = position >> 1, last >> 1
    return last == 0 and computed == expected_root


def consistency_proof(old: int, new: int, source: HashSource) -> list[bytes]:
    """Return the hashes that show the first ``old`` leaves to be a prefix of the first ``new``."""
    if not 0 <= old <= new:
        raise ValueError(f"{old} is not a size before {new}")
    if old in {0, new}:
        return []
    start, end, whole, path = 0, new, True, []
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(range_root(middle, end, source))
            end = middle
        else:
            path.append(range_root(start, middle, source))
            start, whole = middle, False
    if not whole:
        path.append(range_root(start, end, source))
    return path[::-1]


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Tell whether ``proof`` shows the tree of ``new`` leaves to continue the one of ``old``."""
    if not 0 <= old <= new:
        return False
    if old == 0 and old_root != EMPTY_ROOT:
        return False  # no tree without leaves has another root
    if old in {0, new}:
        return not proof and (old != new or old_root == new_root)
    steps = list(proof)
    if old & (old - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            after = node_hash(after, step)
        position, last = position >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


class Frontier:
    """A growing tree of which only the unfinished tiles are kept: at most 255 hashes a level.

    ``on_tile`` is called with ``(level, index, hashes)`` whenever a tile of 256 hashes is full.
    """

    __slots__ = ("_on_tile", "_open", "size")

    def __init__(self, on_tile: Callable[[int, int, Sequence[bytes]], None] | None = None) -> None:
        self.size = 0
        self._open: list[list[bytes]] = [[]]
        self._on_tile = on_tile

    @classmethod
    def resume(
        cls,
        size: int,
        source: HashSource,
        on_tile: Callable[[int, int, Sequence[bytes]], None] | None = None,
    ) -> "Frontier":
        """Return the frontier of a tree whose first ``size`` leaves ``source`` knows."""
        frontier = cls(on_tile)
        frontier.size, frontier._open, level = size, [], 0
        while not frontier._open or size >> level:
            first = size >> (level + TILE_HEIGHT) << TILE_HEIGHT
            frontier._open.append([source(level, i) for i in range(first, size >> level)])
            level += TILE_HEIGHT
        return frontier

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self.extend([leaf])

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes, in order."""
        start = 0
        while start < len(leaves):
            bottom = self._open[0]
            piece = leaves[start : start + TILE_WIDTH - len(bottom)]
            bottom += piece
            start += len(piece)
            self.size += len(piece)
            if len(bottom) == TILE_WIDTH:
                self._close(0)

    def unfinished(self) -> list[tuple[int, int, list[bytes]]]:
        """Return the tiles that are begun and not full: level, index, hashes."""
        return [
            (level, self.size >> (TILE_HEIGHT * (level + 1)), list(hashes))
            for level, hashes in enumerate(self._open)
            if hashes
        ]

    def root(self) -> bytes:
        """Return the root over everything added so far."""
        peaks = [peak for hashes in reversed(self._open) for peak in _peaks(hashes)]
        if not peaks:
            return EMPTY_ROOT
        combined = peaks.pop()
        while peaks:
            combined = node_hash(peaks.pop(), combined)
        return combined

    def _close(self, level: int) -> None:
        full, self._open[level] = self._open[level], []
        if self._on_tile is not None:
            index = (self.size >> (TILE_HEIGHT * (level + 1))) - 1
            self._on_tile(level, index, full)
        if level + 1 == len(self._open):
            self._open.append([])
        self._open[level + 1].append(root(full))
        if len(self._open[level + 1]) == TILE_WIDTH:
            self._close(level + 1)


def _peaks(hashes: list[bytes]) -> list[bytes]:
    """Return the roots of the complete subtrees of a row, the widest first."""
    peaks, start, left = [], 0, len(hashes)
    while left:
        width = 1 << (left.bit_length() - 1)
        peaks.append(root(hashes[start : start + width]))
        start, left = start + width, left - width
    return peaks


def _split(count: int) -> int:
    """Return the largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)
