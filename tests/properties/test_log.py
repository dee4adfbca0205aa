"""Whatever byte of a log is changed, the verifier names the place."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placet_verify import canonical
from placet_verify.bundle import export
from placet_verify.errors import Refused
from placet_verify.log import checkpoint
from placet_verify.log.checking import LeafRecord, LogReport, read_records, verify_log
from placet_verify.log.merkle import Frontier, leaf_hash
from placet_verify.signing.keys import PrivateKey

KEY = PrivateKey.generate()
SIZES = [1, 3, 255, 256, 257, 1000]


@dataclass
class Log:
    """A whole log: records of which every third is hidden, full tiles, and a checkpoint."""

    records: list[LeafRecord]
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)
    note: str = ""

    def copy(self) -> "Log":
        return Log(list(self.records), dict(self.tiles), self.note)

    def verify(self) -> LogReport:
        head = checkpoint.verify(self.note, KEY.public)
        return verify_log(
            self.records,
            heads=[(head.size, head.root)],
            tiles=lambda level, index: self.tiles.get((level, index)),
            complete=True,
        )

    def place(self) -> str:
        """Return where the verifier finds the first fault."""
        fault = self.verify().fault
        assert fault is not None
        return fault.place


def body_of(index: int) -> str:
    second = f"2026-11-25T{index // 3600:02d}:{index // 60 % 60:02d}:{index % 60:02d}.000000Z"
    return canonical.dumps({"at": second, "kind": "test.v1", "n": index, "é": "ü"}).decode()


@lru_cache
def made(size: int) -> Log:
    log = Log([])
    frontier = Frontier(
        lambda level, index, hashes: log.tiles.update({(level, index): b"".join(hashes)})
    )
    for index in range(size):
        body = body_of(index)
        leaf = leaf_hash(body.encode())
        log.records.append((index, None if index % 3 == 2 else body, leaf))
        frontier.append(leaf)
    log.note = checkpoint.make("test/log", size, frontier.root(), KEY)
    return log


LOGS = st.sampled_from(SIZES).map(lambda size: made(size).copy())


def flipped(raw: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[place % len(changed)] ^= 1 << bit
    return bytes(changed)


@given(log=LOGS)
def test_a_log_that_nobody_touched_verifies(log: Log) -> None:
    report = log.verify()
    assert report.ok
    assert report.heads == (len(log.records),)
    assert report.bodies == sum(body is not None for _, body, _ in log.records)
    assert report.tiles == len(log.tiles)


@given(log=LOGS, data=st.data(), place=st.integers(0, 4000), bit=st.integers(0, 6))
def test_a_changed_body_is_found_at_its_leaf(
    log: Log, data: st.DataObject, place: int, bit: int
) -> None:
    index = data.draw(st.sampled_from([i for i, body, _ in log.records if body is not None]))
    _, body, leaf = log.records[index]
    assert body is not None
    letters = list(body)
    at = place % len(letters)
    letters[at] = chr(ord(letters[at]) ^ (1 << bit))
    log.records[index] = (index, "".join(letters), leaf)
    fault = log.verify().fault
    assert fault is not None
    assert fault.sentence == f"leaf {index}: the body does not hash to its leaf hash"


@given(log=LOGS, data=st.data(), place=st.integers(0, 31), bit=st.integers(0, 7))
def test_a_changed_leaf_hash_is_found_at_its_leaf(
    log: Log, data: st.DataObject, place: int, bit: int
) -> None:
    """For a hidden body too, wherever a tile or the checkpoint alone can tell."""
    index = data.draw(st.integers(0, len(log.records) - 1))
    _, body, leaf = log.records[index]
    log.records[index] = (index, body, flipped(leaf, place, bit))
    in_tile = (0, index // 256) in log.tiles
    expected = f"leaf {index}" if body is not None or in_tile else f"checkpoint {len(log.records)}"
    assert log.place() == expected


@given(log=LOGS, data=st.data())
def test_a_body_rewritten_with_its_hash_is_found_too(log: Log, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(log.records) - 1))
    log.records[index] = (index, "{}", leaf_hash(b"{}"))
    in_tile = (0, index // 256) in log.tiles
    assert log.place() == (f"leaf {index}" if in_tile else f"checkpoint {len(log.records)}")


@given(
    log=st.sampled_from([256, 257, 1000]).map(lambda size: made(size).copy()),
    data=st.data(),
    place=st.integers(0, 8191),
    bit=st.integers(0, 7),
)
def test_a_changed_tile_is_named(log: Log, data: st.DataObject, place: int, bit: int) -> None:
    level, index = data.draw(st.sampled_from(sorted(log.tiles)))
    log.tiles[level, index] = flipped(log.tiles[level, index], place, bit)
    assert log.place() == f"tile {level}/{index}"


@settings(max_examples=20, deadline=None)
@given(place=st.integers(0, 8191), which=st.sampled_from(["leaf", "tile 0", "tile 1"]))
def test_upper_tiles_of_a_long_log_are_told_from_its_leaves(place: int, which: str) -> None:
    log = made(66_000).copy()
    if which == "leaf":
        index = place * 8
        log.records[index] = (index, None, flipped(log.records[index][2], place, 1))
        assert log.place() == f"leaf {index}"
        return
    tile = (0, place % 257) if which == "tile 0" else (1, 0)
    log.tiles[tile] = flipped(log.tiles[tile], place, 1)
    assert log.place() == f"tile {tile[0]}/{tile[1]}"


@given(log=LOGS, place=st.integers(0, 400), bit=st.integers(0, 6))
def test_a_changed_checkpoint_is_refused(log: Log, place: int, bit: int) -> None:
    letters = list(log.note)
    at = place % len(letters)
    letters[at] = chr(ord(letters[at]) ^ (1 << bit))
    log.note = "".join(letters)
    with pytest.raises(Refused):
        log.verify()


@given(log=LOGS, data=st.data())
def test_a_removed_leaf_is_named(log: Log, data: st.DataObject) -> None:
    size = len(log.records)
    index = data.draw(st.integers(0, size - 1))
    del log.records[index]
    fault = log.verify().fault
    assert fault is not None
    if index == size - 1:
        assert fault.sentence == f"size: checkpoint says {size}, the log has {size - 1}"
    else:
        assert fault.place == f"leaf {index}"


@given(log=LOGS, data=st.data())
def test_a_leaf_put_in_is_named(log: Log, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(log.records) - 1))
    log.records.insert(index, log.records[index])
    if index == len(log.records) - 2:
        log.records[-1] = (index + 1, *log.records[-1][1:])
        assert log.place() == "size"
    else:
        assert log.place() == f"leaf {index + 1}"


def test_a_log_cut_short_is_noticed_by_its_tiles_even_without_a_checkpoint() -> None:
    log = made(600).copy()
    kept = log.records[:500]
    report = verify_log(kept, tiles=lambda level, index: log.tiles.get((level, index)))
    assert report.fault is not None
    assert report.fault.place == "size"


def test_an_older_checkpoint_vouches_for_the_beginning() -> None:
    log, early = made(1000), made(257)
    head = checkpoint.parse(early.note)
    report = verify_log(log.records, heads=[(head.size, head.root)])
    assert report.ok
    assert report.heads == (257,)
    assert report.size == 1000


def test_two_checkpoints_narrow_down_a_rewritten_leaf() -> None:
    log, early = made(1000).copy(), checkpoint.parse(made(257).note)
    late = checkpoint.parse(log.note)
    log.records[990] = (990, "{}", leaf_hash(b"{}"))
    heads = [(early.size, early.root), (late.size, late.root)]
    fault = verify_log(log.records, heads=heads).fault
    assert fault is not None
    assert fault.place == "checkpoint 1000"
    assert "leaves 257 to 999" in fault.sentence


def test_the_first_of_several_faults_is_named() -> None:
    log = made(1000).copy()
    for index in (700, 400, 900):
        log.records[index] = (index, "{}", log.records[index][2])
    assert log.place() == "leaf 400"


def test_time_may_not_run_backwards_and_bodies_must_be_canonical() -> None:
    bodies = [body_of(2), body_of(1)]
    records = [(i, body, leaf_hash(body.encode())) for i, body in enumerate(bodies)]
    report = verify_log(records, monotone=True)
    assert report.fault is not None
    assert report.fault.sentence == "leaf 1: its time is before the one before it"
    loose = json.dumps(json.loads(body_of(1)))
    record = (0, loose, leaf_hash(loose.encode()))
    assert verify_log([record]).ok
    assert verify_log([record], canonical_bodies=True).fault is not None
    assert verify_log(made(257).records, canonical_bodies=True, monotone=True).ok


@given(line=st.integers(0, 256), place=st.integers(0, 400), bit=st.integers(0, 7))
def test_a_byte_flipped_in_an_exported_file_is_found_at_its_line(
    line: int, place: int, bit: int
) -> None:
    log = made(257).copy()
    lines = [export.log_line(*record) for record in log.records]
    at = place % (len(lines[line]) - 1)  # not the line's end
    lines[line] = flipped(lines[line], at, bit)
    log.records = list(read_records(lines))
    if log.records == made(257).records:
        return  # the other case of a hex digit: the same hash
    assert log.place() in {f"leaf {line}", "checkpoint 257"}
    if line < 256 or log.records[line][1] is not None:
        assert log.place() == f"leaf {line}"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: (record[0], "\ud800", record[2]),
        lambda record: (record[0], record[1], b""),
        lambda record: (record[0] + 5, record[1], record[2]),
    ],
)
def test_a_record_that_makes_no_sense_is_named(spoil: Callable[[LeafRecord], LeafRecord]) -> None:
    log = made(257).copy()
    log.records[100] = spoil(log.records[100])
    assert log.place() == "leaf 100"
