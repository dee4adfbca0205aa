"""What a node keeps on its disk, and reads of other releases and after a power cut."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from placet_agent.haproxy.admin import Admin
from placet_agent.haproxy.config import Settings
from placet_agent.haproxy.proxy import Proxy
from placet_agent.haproxy.table import RoutingTable
from placet_agent.reports.metrics import RequestMeter
from placet_agent.reports.receipts import Receipts, Who
from placet_agent.reports.seen_units import SeenUnits
from placet_agent.state import files
from placet_agent.state.data_dir import Home, Membership
from placet_agent.state.latest import Latest
from placet_agent.state.recalls import RecallFile
from placet_verify.recalls import Book
from placet_verify.signing.keys import PrivateKey
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
    known = asdict(older.remembered())
    assert known.pop("ended") == [], "which is written only when there are some"
    assert stored == {**known, "of_tomorrow": [1]}, "nothing is lost by it"


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
    meter = RequestMeter(tmp_path, Admin(tmp_path))
    meter.start()
    meter.stop()
    (tmp_path / "reported.json").write_bytes(left)
    assert Home(tmp_path).reported == 0


@pytest.mark.parametrize("left", [b"", b'{"7 e0r1', b"\x00" * 40])
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, left: bytes) -> None:
    for name in ("memory.json", "recalls.json", "receipts.json", "node.json", "node.key"):
        (tmp_path / name).write_bytes(left)
    home, nobody = Home(tmp_path), Who("nod_1", "tgt_1", PrivateKey.generate())
    looks: dict[str, Callable[[], object]] = {
        "memory.json": home.remembered,
        "recalls.json": lambda: RecallFile(tmp_path / "recalls.json"),
        "receipts.json": lambda: Receipts(tmp_path / "receipts.json", nobody, Book),
        "node.json": home.membership,
        "node.key": home.ensure_key,
    }
    for name, look in looks.items():
        with pytest.raises(files.Unreadable) as refused:
            look()
        assert str(refused.value).startswith(f"{tmp_path / name} cannot be read: put back a copy")
        assert " or " in str(refused.value)


def test_what_a_node_no_longer_speaks_for_keeps_nobody_from_following_what_comes(
    tmp_path: Path,
) -> None:
    (tmp_path / "kept.json").write_bytes(b"")
    assert Latest(Home(tmp_path)).kept() == ()


def test_a_table_of_haproxy_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "table.json").write_bytes(b"")
    assert (
        Proxy(tmp_path, Settings(port=8080), "haproxy").table.to_json() == RoutingTable().to_json()
    )


def test_on_a_full_disk_a_file_that_cannot_be_written_leaves_none_beside_it(tmp_path: Path) -> None:
    with disk.small(tmp_path / "disk") as folder:
        files.write_bytes(folder / "kept", b"before")
        disk.fill(folder)
        for name in ("kept", "other"):
            with pytest.raises(OSError, match="No space"):
                files.write_bytes(folder / name, b"x" * 9000)
        assert {path.name for path in folder.iterdir()} == {"kept", disk.BALLAST}
        assert (folder / "kept").read_bytes() == b"before"


def test_what_the_disk_does_not_take_is_not_remembered_or_noted_until_it_does(
    tmp_path: Path,
) -> None:
    with disk.small(tmp_path / "disk") as folder:
        home = Home(folder)
        home.remember(number=1)
        ballast = disk.fill(folder)
        with pytest.raises(OSError, match="No space"):
            home.remember(admitted={"rel_1": "x" * 9000})
        assert (home.remembered().admitted, home.stored) == ({}, True)
        assert "No space" in home.note(checkpoint="n" * 9000)
        assert (home.remembered().checkpoint, home.stored) == ("n" * 9000, False)
        ballast.unlink()
        home.store()
        assert home.stored
        assert Home(folder).remembered() == home.remembered()


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
