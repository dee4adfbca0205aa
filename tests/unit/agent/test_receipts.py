"""What a node signs about itself: once, on disk before it is sent, and only what is true."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from placet_agent.process.replica import ReplicaRecord
from placet_agent.reports.receipts import MAX_UNSENT, Receipts, Who
from placet_agent.state.recalls import RecallFile
from placet_verify import recalls
from placet_verify.errors import Malformed
from placet_verify.recalls import Book
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import PrivateKey
from placet_verify.statements import RanReceipt, RecalledNames, RecallStatement, StoppedReceipt
from tests.support import disk
from tests.support.permits import digest_of

WHO = Who("nod_1", "tgt_1", PrivateKey.generate())
BAD, GOOD = digest_of("bad"), digest_of("good")


def recall(name: str = "rcl_1", **names: list[str]) -> RecallStatement:
    return RecallStatement(
        recall=name,
        project="",
        kind="bento",
        what=BAD,
        names=RecalledNames.of(**names),
        by="per_1",
        reason="",
        at=datetime.now(UTC),
    )


def replica(revision: str, digest: str, release: str = "rel_1") -> ReplicaRecord:
    row: Any = SimpleNamespace(
        revision=revision, bento_digest=digest, release=release, endpoint="end_1"
    )
    return cast(ReplicaRecord, row)


def knowing(*statements: RecallStatement) -> Book:
    book = Book()
    book.add(statements)
    return book


def said(texts: tuple[str, ...]) -> list[Any]:
    """Return what was signed, each verified as the platform does."""
    return [recalls.receipt(Envelope.from_json(t), WHO.key.public, "nod_1") for t in texts]


def receipts(folder: Path, book: Book | None = None) -> Receipts:
    return Receipts(folder / "receipts.json", WHO, lambda: book or Book())


def test_a_run_is_signed_when_its_last_replica_is_gone(tmp_path: Path) -> None:
    kept, two = receipts(tmp_path), [replica("rev_1", GOOD), replica("rev_1", GOOD)]
    assert kept.look(two, Book(), 1) == ()
    assert kept.look(two[:1], Book(), 1) == ()
    (ran,) = said(kept.look([], Book(), 1))
    assert isinstance(ran, RanReceipt)
    assert (ran.revision, ran.bento_digest, ran.started_at <= ran.ended_at) == ("rev_1", GOOD, True)


def test_of_what_the_platform_was_not_told_there_is_so_much_and_no_run_is_left_out(
    tmp_path: Path,
) -> None:
    kept, once, often = receipts(tmp_path), replica("rev_1", GOOD), replica("rev_2", GOOD)
    began = datetime.now(UTC)
    kept.look([once], Book(), 1)
    for _ in range(MAX_UNSENT + 100):
        kept.look([often], Book(), 1)
        kept.look([], Book(), 1)
    again, runs = receipts(tmp_path), list[Any]()
    while sent := again.look([], Book(), 1):
        runs += said(sent)
        again.told(sent)

    assert len(runs) == MAX_UNSENT
    assert [one.revision for one in runs].count("rev_1") == 1
    spans = sorted((one.started_at, one.ended_at) for one in runs if one.revision == "rev_2")
    assert began <= spans[0][0]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert max(ended - started for started, ended in spans) == spans[-1][1] - spans[-1][0]


def test_a_full_disk_keeps_nothing_from_being_signed_and_it_is_written_with_room_again(
    tmp_path: Path,
) -> None:
    with disk.small(tmp_path / "disk") as folder:
        kept, book = receipts(folder), knowing(recall(bentos=[BAD]))
        kept.look([replica("rev_1", BAD)], book, 1)
        ballast = disk.fill(folder)
        first = kept.look([], book, 1)
        assert [type(one) for one in said(first)] == [RanReceipt, StoppedReceipt]
        kept.told(first[:1])
        assert "No space" in kept.fault
        ballast.unlink()
        assert kept.look([], book, 1) == first[1:] == receipts(folder).look([], book, 1)
        assert kept.fault == ""


def test_an_agent_that_starts_again_knows_since_when_something_runs(tmp_path: Path) -> None:
    receipts(tmp_path).look([replica("rev_1", GOOD)], Book(), 1)
    middle = datetime.now(UTC)
    (ran,) = said(receipts(tmp_path).look([], Book(), 1))
    assert ran.started_at < middle < ran.ended_at


def test_what_was_not_taken_is_sent_again_and_after_a_restart(tmp_path: Path) -> None:
    kept = receipts(tmp_path)
    kept.look([replica("rev_1", GOOD)], Book(), 1)
    first = kept.look([], Book(), 1)
    assert kept.look([], Book(), 1) == first == receipts(tmp_path).look([], Book(), 1)
    kept.told(first)
    assert kept.look([], Book(), 1) == () == receipts(tmp_path).look([], Book(), 1)


@pytest.mark.parametrize("names", [{"bentos": [BAD]}, {"releases": ["rel_bad"]}])
def test_a_recall_is_confirmed_when_nothing_of_it_runs_and_once(
    tmp_path: Path, names: dict[str, list[str]]
) -> None:
    one = recall(**names)
    kept, book = receipts(tmp_path, knowing(one)), knowing(one)
    bad, good = replica("rev_1", BAD, "rel_bad"), replica("rev_2", GOOD, "rel_good")
    assert kept.forbidden(bad) and not kept.forbidden(good)
    assert kept.look([bad, good], book, 1) == ()
    ran, stopped = said(kept.look([good], book, 1))
    assert isinstance(ran, RanReceipt) and isinstance(stopped, StoppedReceipt)
    assert (stopped.recall, stopped.recall_digest) == ("rcl_1", one.digest)
    kept.told(kept.look([good], book, 1))
    assert kept.look([good], book, 1) == ()
    assert receipts(tmp_path).look([good], book, 1) == ()


def test_a_recall_of_what_never_ran_here_is_confirmed_at_once(tmp_path: Path) -> None:
    assert len(receipts(tmp_path).look([], knowing(recall(bentos=[BAD])), 1)) == 1


def test_what_runs_again_after_it_was_confirmed_is_confirmed_anew(tmp_path: Path) -> None:
    """However that came about: what was said before is not true any more."""
    kept, book = receipts(tmp_path), knowing(recall(bentos=[BAD]))
    kept.told(kept.look([], book, 1))
    assert kept.look([replica("rev_1", BAD)], book, 1) == ()
    assert [type(one) for one in said(kept.look([], book, 1))] == [RanReceipt, StoppedReceipt]


def test_a_platform_that_was_restored_is_told_again(tmp_path: Path) -> None:
    kept, book = receipts(tmp_path), knowing(recall(bentos=[BAD]))
    kept.told(kept.look([], book, 1))
    assert kept.look([], book, 1) == ()
    again = receipts(tmp_path)
    assert [type(one) for one in said(again.look([], book, 2))] == [StoppedReceipt]


def test_the_node_remembers_recalls_for_good(tmp_path: Path) -> None:
    key, one = PrivateKey.generate(), recall(bentos=[BAD])
    text = one.sign(key).to_json()
    kept = RecallFile(tmp_path / "recalls.json")
    assert kept.learn([text, text], lambda envelope: one) == []
    first = kept.book
    assert kept.learn([], lambda envelope: one) == []
    assert kept.book is first, "nobody takes anything out"
    assert RecallFile(tmp_path / "recalls.json").book.standing == [one]


def test_what_does_not_verify_is_told_and_not_remembered(tmp_path: Path) -> None:
    def refuse(envelope: Envelope) -> RecallStatement:
        raise Malformed("not by that key", "bad_signature")

    kept = RecallFile(tmp_path / "recalls.json")
    text = recall(bentos=[BAD]).sign(PrivateKey.generate()).to_json()
    errors = kept.learn([text, "{}"], refuse)
    assert [error["code"] for error in errors] == ["recall_refused"] * 2
    assert not (tmp_path / "recalls.json").exists()
