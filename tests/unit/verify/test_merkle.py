"""The tree agrees with RFC 6962's own definition, and its proofs with its roots."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_verify.log import merkle, tiles
from placet_verify.log.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    source_of,
    verify_consistency,
    verify_inclusion,
)

# The leaves and roots that certificate transparency's reference implementation publishes.
KNOWN_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


def defined_root(leaves: Sequence[bytes]) -> bytes:
    """The recursive definition, word for word (RFC 6962, section 2.1)."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


@pytest.mark.parametrize("count", range(1, 9))
def test_the_published_roots_come_out(count: int) -> None:
    leaves = [leaf_hash(data) for data in KNOWN_LEAVES[:count]]
    assert merkle.root(leaves).hex() == KNOWN_ROOTS[count - 1]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 255, 256, 257, 511, 512, 700, 66_000])
def test_list_frontier_and_definition_agree(count: int) -> None:
    leaves = hashes(count)
    frontier = Frontier()
    frontier.extend(leaves)
    assert frontier.root() == merkle.root(leaves) == defined_root(leaves)
    assert frontier.size == count


@given(st.lists(st.integers(0, 400), max_size=5))
def test_it_does_not_matter_in_which_pieces_leaves_arrive(pieces: list[int]) -> None:
    leaves = hashes(sum(pieces))
    frontier, start = Frontier(), 0
    for piece in pieces:
        frontier.extend(leaves[start : start + piece])
        start += piece
    assert frontier.root() == merkle.root(leaves)


@given(st.integers(1, 900), st.data())
def test_inclusion_is_proved_for_the_leaf_and_for_no_other(size: int, data: st.DataObject) -> None:
    leaves, index = hashes(size), data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proof(index, size, source_of(leaves)), merkle.root(leaves)
    assert verify_inclusion(leaves[index], index, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
    assert not verify_inclusion(leaves[index], index, size, [*proof, root], root)
    assert not verify_inclusion(leaves[index], size, size, proof, root)
    if proof:
        assert not verify_inclusion(leaves[index], index, size, proof[:-1], root)


@given(st.integers(1, 900), st.data())
def test_consistency_is_proved_for_a_prefix_and_for_nothing_else(
    new: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(0, new))
    leaves = hashes(new)
    old_root, new_root = merkle.root(leaves[:old]), merkle.root(leaves)
    proof = consistency_proof(old, new, source_of(leaves))
    assert verify_consistency(old, new, old_root, new_root, proof)
    assert not verify_consistency(old, new, leaf_hash(b"x"), new_root, proof)
    assert not verify_consistency(old, new, old_root, new_root, [*proof, new_root])
    if 0 < old < new:
        assert not verify_consistency(old, new, old_root, leaf_hash(b"x"), proof)
        assert not verify_consistency(old, new, old_root, new_root, proof[:-1])


def stored(leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    kept: dict[tuple[int, int], bytes] = {}

    def keep(level: int, index: int, hashes: Sequence[bytes]) -> None:
        kept[level, index] = b"".join(hashes)

    Frontier(keep).extend(leaves)
    return kept


def test_the_empty_tree_has_one_root_and_every_tree_continues_it() -> None:
    other = leaf_hash(b"x")
    assert verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    assert verify_consistency(0, 5, EMPTY_ROOT, other, [])
    assert not verify_consistency(0, 0, other, other, [])
    assert not verify_consistency(0, 5, other, other, [])
    assert not verify_consistency(0, 5, EMPTY_ROOT, other, [other])


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1000, 66_000])
@pytest.mark.parametrize("written", [True, False])
def test_proofs_come_from_tiles_whether_or_not_the_newest_are_written(
    size: int, written: bool
) -> None:
    leaves = hashes(size)
    kept = stored(leaves) if written else {}
    source = tiles.TileSource(
        size, lambda level, index: kept.get((level, index)), lambda start, end: leaves[start:end]
    )
    whole = source_of(leaves)
    for index in {0, size // 2, size - 1}:
        assert inclusion_proof(index, size, source) == inclusion_proof(index, size, whole)
        assert consistency_proof(index, size, source) == consistency_proof(index, size, whole)
    assert Frontier.resume(size, source).root() == merkle.root(leaves)


def test_a_resumed_frontier_goes_on_as_if_it_had_never_stopped() -> None:
    leaves = hashes(66_200)
    early = tiles.TileSource(65_900, lambda level, index: None, lambda a, b: leaves[a:b])
    frontier = Frontier.resume(65_900, early)
    frontier.extend(leaves[65_900:])
    assert frontier.root() == merkle.root(leaves)


def test_the_unfinished_tiles_are_made_from_the_roots_of_those_below() -> None:
    leaves, read = hashes(66_000), []
    kept = stored(leaves)

    def full_tile(level: int, index: int) -> bytes | None:
        read.append((level, index))
        return kept.get((level, index))

    def roots(level: int, start: int, end: int) -> dict[int, bytes]:
        below = {i: kept.get((level, i)) for i in range(start, end)}
        return {i: merkle.root(tiles.split(tile)) for i, tile in below.items() if tile}

    source = tiles.TileSource(66_000, full_tile, lambda a, b: leaves[a:b], roots)
    for index in (0, 65_540, 65_999):
        assert inclusion_proof(index, 66_000, source) == (
            inclusion_proof(index, 66_000, source_of(leaves))
        )
    assert set(read) == {(0, 0), (1, 0), (0, 256)}


def test_tiles_have_the_paths_that_other_tools_expect() -> None:
    assert tiles.path(0, 1234067) == "tile/0/x001/x234/067"
    assert tiles.path(1, 0, 17) == "tile/1/000.p/17"


def test_bytes_that_are_no_tile_are_refused() -> None:
    with pytest.raises(ValueError, match="256 hashes"):
        tiles.split(b"\0" * 33)
