"""Each unit of a split is counted once."""

from pathlib import Path

import pytest

from placet_agent.reports import seen_units
from placet_agent.reports.seen_units import SeenUnits


def mark(number: int) -> str:
    """Return the mark of a unit as HAProxy logs it."""
    return f"{number:016X}"


def test_a_unit_is_new_once_in_each_split(tmp_path: Path) -> None:
    units = SeenUnits(tmp_path)

    assert [units.is_new("one", mark(n)) for n in (1, 2, 1)] == [True, True, False]
    assert units.is_new("two", mark(1))


def test_what_was_seen_survives_a_restart_and_a_write_that_was_cut_short(tmp_path: Path) -> None:
    first = SeenUnits(tmp_path)
    first.is_new("one", mark(1))
    first.save()
    first.is_new("one", mark(2))
    first.save()
    with (tmp_path / "one").open("ab") as stream:
        stream.write(b"\x00\x00\x00")

    second = SeenUnits(tmp_path)
    assert [second.is_new("one", mark(n)) for n in (1, 2, 3)] == [False, False, True]
    second.save()
    assert not SeenUnits(tmp_path).is_new("one", mark(3))


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_units, "MAX_UNITS", 3)
    units = SeenUnits(tmp_path)

    assert [units.is_new("one", mark(n)) for n in range(5)] == [True, True, True, False, False]


def test_a_split_that_is_over_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(seen_units.time, "monotonic", lambda: clock[0])
    units = SeenUnits(tmp_path)
    units.is_new("old", mark(1))
    units.save()
    clock[0] += seen_units.FORGET_SECONDS + 1
    units.is_new("new", mark(1))
    units.save()

    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert units.is_new("old", mark(1))
