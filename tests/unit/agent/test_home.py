"""What a node keeps on its disk, and reads of other releases and after a power cut."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from placet_agent.haproxy.admin import Admin
from placet_agent.home import Home, Membership
from placet_agent.metrics import Meter
from placet_agent.seen import SeenUnits
from tests.support import disk

MEMBER = Membership("https://placet.test", "nod_1", "tgt_1", "here", "", 8080, [])


def test_what_a_newer_agent_remembers_beside_is_no_matter_of_this_one(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.join(MEMBER)
    home.remember(epoch=3, number=7)
    for name in ("node.json", "memory.json"):
        stored = json.loads((tmp_path / name).read_text())
        (tmp_path / name).write_text(json.dumps({**stored, "of_tomorrow": [1]}))

    older = Home(tmp_path)
    assert older.membership() == MEMBER
    assert (older.remembered().epoch, older.remembered().number) == (3, 7)
    older.remember(number=8)
    stored = json.loads((tmp_path / "memory.json").read_text())
    assert stored == {**asdict(older.remembered()), "of_tomorrow": [1]}, "nothing is lost by it"


def test_the_number_of_the_last_report_is_found_where_any_release_left_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.remember(report_number=41)
    assert Home(tmp_path).reported == 41
    home.reported = 42
    assert Home(tmp_path).reported == 42
    before = (tmp_path / "memory.json").read_bytes()
    home.reported = 43
    assert (tmp_path / "memory.json").read_bytes() == before, "each report wrote all of it"


@pytest.mark.parametrize("left", [b"", b'{"7 e0r1', b"\x00" * 40])
def test_a_node_starts_with_hints_that_a_power_cut_left_cut_short(
    tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "logged.json").write_bytes(left)
    meter = Meter(tmp_path, Admin(tmp_path))
    meter.start()
    meter.stop()
    (tmp_path / "reported.json").write_bytes(left)
    assert Home(tmp_path).reported == 0


def test_units_of_a_write_that_was_cut_short_are_read_on_a_full_disk(tmp_path: Path) -> None:
    with disk.small(tmp_path / "disk") as folder:
        units = SeenUnits(folder / "units")
        for number in range(600):
            units.is_new("split", f"{number:016X}")
        units.save()
        os.truncate(folder / "units/split", 4099)
        disk.fill(folder)
        again = SeenUnits(folder / "units")
        assert [again.is_new("split", f"{n:016X}") for n in (0, 511, 512)] == [False, False, True]
