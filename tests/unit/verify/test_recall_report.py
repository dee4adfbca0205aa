"""A recall for an outsider: open, confirmed or contradicted, from the signed bytes alone."""

import random
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from placet_verify.__main__ import main
from placet_verify.bundle import recall_report
from placet_verify.errors import Refused
from placet_verify.signing.keys import KeyRing, PrivateKey
from placet_verify.statements import RecalledNames
from tests.support.offline import Files
from tests.support.permits import Keys
from tests.support.receipts import BENTO, ENDED, HOUR, RECALLED, RELEASE, OnNodes

SECOND = timedelta(seconds=1)
KEYS = Keys()
THREE = ["rel_1", "rel_2", "rel_3"]


def fleet(*, second: bool = True) -> OnNodes:
    """Three releases on three nodes: one confirms, one is silent, one runs on after it signed."""
    nodes, liar = OnNodes(KEYS), PrivateKey.generate()
    nodes.joined()
    if second:
        nodes.joined("nod_2", "tgt_2", PrivateKey.generate())
    nodes.joined("nod_3", "tgt_3", liar)
    for number, release in enumerate(THREE, 1):
        nodes.placed(f"rev_{number}", release=release)
    nodes.ran()
    recall = nodes.recalled(names=RecalledNames.of(bentos=[BENTO], releases=THREE), reached=False)
    for number, release in enumerate(THREE, 1):
        where = {"target_id": f"tgt_{number}", "revisions": [f"rev_{number}"]}
        nodes.reached(recall.recall, release, **where)
    nodes.stopped(recall, at=ENDED + SECOND)
    third = {"node": "nod_3", "target": "tgt_3"}
    nodes.stopped(recall, liar, confirms=False, **third)
    nodes.ran(liar, release="rel_3", revision="rev_3", ended_at=ENDED + HOUR, **third)
    return nodes


def laid_out(files: Files, folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def said(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    root = folder.parent / "root-i-was-given.pub"
    root.write_bytes(KEYS.root.public.to_pem())
    code = main(["recall", str(folder), *more, "--root", str(root)])
    return code, capsys.readouterr().out


def verify(files: Files) -> tuple[list[str], dict[str, int]]:
    checked, lines = (
        recall_report.verify(files, KeyRing.open(files["keys.json"], KEYS.root.public)),
        [],
    )
    while True:
        try:
            lines.append(next(checked))
        except StopIteration as end:
            return lines, end.value


def test_it_says_of_every_release_whether_its_node_confirmed_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = laid_out(fleet().report(), tmp_path / "report")
    code, text = said(folder, capsys)
    assert code == 0, text
    for line in (
        f"recalled: bento {BENTO}, by per_operator at 2026-11-25T16:00:00.000000Z, recall rcl_1,",
        "it names: Bentos 1, releases 3, keys 0, passkeys 0, people 0",
        "confirmed: release rel_1: node nod_1 signed at 2026-11-25T17:00:01.000000Z that nothing",
        "ran: rev_1 from 2026-11-25T14:00:00.000000Z to 2026-11-25T17:00:00.000000Z",
        "recall rcl_1: rev_1 ran 3600 s longer than that",
        "open: release rel_2: node nod_2 has not signed that nothing of it runs",
        "contradicted: release rel_3: node nod_3 signed at 2026-11-25T17:00:00.000000Z that nothing"
        " of it runs, and that rev_3 ran until 2026-11-25T18:00:00.000000Z",
        "recall rcl_1: of 3 releases that ran 1 confirmed, 1 open, 1 contradicted; 0 never ran",
        "not checked: whose host a node is",
        "not checked: what nodes did beyond what they signed",
        "ok: report is genuine",
    ):
        assert line in text, line


def test_what_ran_on_for_a_part_of_a_second_is_not_said_to_have_run_for_none() -> None:
    nodes = OnNodes(KEYS).on_a_node()
    nodes.ran(ended_at=RECALLED + timedelta(milliseconds=800))
    nodes.stopped(nodes.recalled())
    lines, _ = verify(nodes.report())
    assert "recall rcl_1: rev_1 ran less than a second longer than that" in lines


def test_it_can_be_asked_whether_all_is_confirmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = laid_out(fleet().report(), tmp_path / "report")
    code, text = said(folder, capsys, "--confirmed")
    assert (code, text.splitlines()[-1]) == (1, "FAULT: not every release that ran is confirmed")
    alone = OnNodes(KEYS).on_a_node()
    alone.stopped(alone.recalled())
    assert said(laid_out(alone.report(), tmp_path / "alone"), capsys, "--confirmed")[0] == 0


def test_several_reports_are_checked_at_once_folders_and_zips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, file = laid_out(fleet().report(), tmp_path / "report"), tmp_path / "rcl_1.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in fleet().report().items():
            archive.writestr(name, content)
    code, text = said(folder, capsys, str(file))
    assert code == 0, text
    assert text.count("\nok: ") == 2
    code = main(["recall", str(file)])
    assert code == 0
    assert "the root key came with" in capsys.readouterr().out


def test_a_target_without_a_node_is_open() -> None:
    lines, counts = verify(fleet(second=False).report())
    assert counts == {"confirmed": 1, "open": 1, "contradicted": 1, "never ran": 0}
    assert "open: release rel_2: no event here shows a node on target tgt_2" in lines


def test_a_node_that_is_kept_back_is_missed() -> None:
    """What a recall did to each release that it names must be there."""
    nodes = fleet()
    nodes.events = [
        event
        for event in nodes.events
        if "assurance.recalleffect:x" not in event["after"]
        or event["after"]["assurance.recalleffect:x"]["release_id"] != "rel_2"
    ]
    with pytest.raises(Refused, match="did to rel_2") as caught:
        verify(nodes.report())
    assert caught.value.code == "left_out"


def test_what_never_ran_need_not_be_confirmed() -> None:
    nodes = OnNodes(KEYS)
    recall = nodes.recalled(reached=False)
    nodes.reached(recall.recall, RELEASE, revisions=[])
    lines, counts = verify(nodes.report())
    assert counts["never ran"] == 1
    assert any(line.startswith(f"never ran: release {RELEASE}") for line in lines)


def no_recall(nodes: OnNodes) -> None:
    nodes.on_a_node().ran()


def two_recalls(nodes: OnNodes) -> None:
    nodes.recalled()
    nodes.recalled(recall="rcl_2")


def a_run_of_something_else(nodes: OnNodes) -> None:
    nodes.on_a_node().recalled()
    nodes.placed("rev_2", release="rel_2")
    nodes.ran(release="rel_2", revision="rev_2")


def confirmed_by_the_platform_alone(nodes: OnNodes) -> None:
    nodes.on_a_node().recalled()
    nodes.reached("rcl_1", RELEASE, "confirmed", state="confirmed")


def of_another_node(nodes: OnNodes) -> None:
    nodes.on_a_node()
    nodes.joined("nod_2", "tgt_2", PrivateKey.generate())
    nodes.stopped(nodes.recalled(), node="nod_2", target="tgt_2")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (no_recall, "other_recall"),
        (two_recalls, "other_recall"),
        (a_run_of_something_else, "other_release"),
        (confirmed_by_the_platform_alone, "unproven"),
        (of_another_node, "bad_signature"),
        (lambda nodes: nodes.recalled(signer=nodes.key), "unknown_key"),
    ],
)
def test_a_report_that_was_made_up_is_refused(spoil: Callable[[OnNodes], Any], code: str) -> None:
    nodes = OnNodes(KEYS)
    spoil(nodes)
    with pytest.raises(Refused) as caught:
        verify(nodes.report())
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda files: files.update({"receipts.json": b"[]"}), "left_out"),
        (lambda files: files.update({"README.txt": b"trust me"}), "differs"),
        (lambda files: files.update({"more.txt": b"x"}), "malformed"),
        (lambda files: files.update({"root.pub": Keys().root.public.to_pem()}), "other_root"),
        (lambda files: [files.pop(name) for name in list(files) if "log/" in name], "no_log"),
    ],
)
def test_a_file_that_was_changed_is_refused(change: Callable[[Files], Any], code: str) -> None:
    files = fleet().report()
    change(files)
    with pytest.raises(Refused) as caught:
        verify(files)
    assert caught.value.code == code


def test_every_one_of_200_flips_is_refused() -> None:
    files, chance = fleet().report(), random.Random(4)
    for _ in range(200):
        name = chance.choice(sorted(files))
        raw = bytearray(files[name])
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        with pytest.raises(Refused):
            verify(files | {name: bytes(raw)})
