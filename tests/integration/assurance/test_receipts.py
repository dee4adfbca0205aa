"""What nodes sign about a recall: believed as far as the signature goes, and compared."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from apps.assurance.actions import lift, recall
from apps.assurance.models import Recall, RecallEffect, Receipt
from apps.audit.models import Event
from apps.governance.models import Release
from apps.monitoring.models import Alert, AlertKind
from apps.serving.models import Revision
from placet.kernel.clock import now, rfc3339
from placet.kernel.keystore import ring
from placet_verify import recalls
from placet_verify.errors import Refused
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import PrivateKey, PublicKey
from placet_verify.statements import RanReceipt
from tests.support.nodes import SimulatedNode
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.story import Story

pytestmark = pytest.mark.django_db


@pytest.fixture
def live(story: Story) -> Release:
    """A release that is live."""
    return story.live()


@pytest.fixture
def recalled(story: Story, live: Release) -> Recall:
    """A recall of its Bento, signed into the node's state; the node has not heard of it."""
    said = {"kind": "bento", "what": live.bento_id, "reason": "x"}
    found = recall(**said, project=story.world.project, actor=story.otto)
    story.run_jobs("control")
    return found


def effect() -> RecallEffect:
    return RecallEffect.objects.get()


def refusals() -> list[str]:
    rows = Event.objects.filter(kind="receipt.refused.v1").order_by("index")
    return [body.split('"code":"')[1].split('"')[0] for body in rows.values_list("body", flat=True)]


def report(node: SimulatedNode, *receipts: str, **more: object) -> None:
    answer = node.report(receipts=list(receipts), **more)
    assert answer.status_code == 200, answer.content


def test_an_old_agent_is_told_the_bentos_and_a_new_one_the_signed_recall(
    node: SimulatedNode, recalled: Recall, live: Release
) -> None:
    node.pull()
    assert node.state["recalled"] == [live.bento_id]
    told = node.told()[recalled.pk]
    assert (told.digest, told.names.bentos) == (recalled.statement_digest, (live.bento_id,))
    assert told.names.releases == (live.pk,)


def test_a_node_that_was_cut_off_confirms_when_it_is_back(
    node: SimulatedNode, recalled: Recall
) -> None:
    report(node)
    assert effect().state == "open", "it reports, and has not heard of it"
    node.confirm()
    assert effect().state == "confirmed"
    receipt = Receipt.objects.get()
    assert (effect().receipt, receipt.kind, receipt.recall) == (receipt.pk, "stopped", recalled.pk)
    key = PublicKey.from_base64(receipt.public_key)
    said = recalls.receipt(Envelope.from_json(receipt.envelope), key, node.id)
    assert said.digest == receipt.digest, "an outsider can check it"
    assert_log_rebuilds_every_row(Receipt, RecallEffect, Recall)


def test_the_same_receipt_twice_is_one(node: SimulatedNode, recalled: Recall) -> None:
    node.pull()
    signed = node.stopped(recalled.pk)
    report(node, signed)
    report(node, signed, signed)
    assert Receipt.objects.count() == 1
    assert Event.objects.filter(kind="recall.confirmed.v1").count() == 1


def test_what_a_stranger_signed_confirms_nothing(node: SimulatedNode, recalled: Recall) -> None:
    node.pull()
    own, node.key = node.key, PrivateKey.generate()
    forged = node.stopped(recalled.pk)
    node.key = own
    report(node, forged, "{}", node.stopped(recalled.pk, node="nod_" + "0" * 32))
    assert (effect().state, Receipt.objects.count()) == ("open", 0)
    assert refusals() == ["bad_signature", "malformed", "other_node"]


def test_a_receipt_of_another_recall_time_or_target_does_not_count(
    node: SimulatedNode, recalled: Recall
) -> None:
    node.pull()
    for receipt in (
        node.stopped(recalled.pk, recall_digest="sha256:" + "0" * 64),
        node.stopped(recalled.pk, at=now() - timedelta(hours=1)),
        node.stopped(recalled.pk, at=now() + timedelta(hours=1)),
        node.stopped(recalled.pk, target="tgt_" + "0" * 32),
    ):
        node.a_minute_later()
        report(node, receipt)
    assert effect().state == "open"
    assert refusals() == ["unknown_recall", "unknown_recall", "impossible", "impossible"]


def test_a_node_that_reports_what_it_says_it_stopped_contradicts_itself(
    node: SimulatedNode, recalled: Recall
) -> None:
    running = node.report_body()["revisions"]
    node.pull()
    report(node, node.stopped(recalled.pk), revisions=running)
    assert (effect().state, effect().contradiction) == ("contradicted", "reported_running")
    alert = Alert.objects.exclude(kind=AlertKind.RECALL_STOPPED).get()
    assert (alert.kind, alert.endpoint_id) == ("recall_broken", effect().endpoint_id)
    assert "still runs" in alert.summary
    report(node, revisions=running)
    assert Event.objects.filter(kind="recall.contradicted.v1").count() == 1, "said once"
    report(node, node.stopped(recalled.pk))
    assert effect().state == "contradicted", "it waits until a minute is over"
    node.a_minute_later()
    report(node)
    assert (effect().state, effect().contradiction) == ("confirmed", ""), "a newer, true receipt"
    assert_log_rebuilds_every_row(Receipt, RecallEffect)


def test_requests_answered_after_the_receipt_contradict_it(
    node: SimulatedNode, recalled: Recall
) -> None:
    revision = effect().revisions[0]
    node.confirm()
    window = {"revision": revision, "seconds": 10, "status_2xx": 3}
    before, after = now() - timedelta(minutes=5), now() + timedelta(seconds=30)
    report(node, metrics=[window | {"started_at": rfc3339(before)}])
    assert effect().state == "confirmed", "that was before"
    report(node, metrics=[window | {"started_at": rfc3339(after)}])
    assert (effect().state, effect().contradiction) == ("contradicted", "answered_after")


def test_a_run_that_ended_after_the_receipt_contradicts_it(
    node: SimulatedNode, recalled: Recall
) -> None:
    revision = Revision.objects.get()
    node.confirm()
    report(node, node.ran(revision, ended_at=now() + timedelta(seconds=60)))
    assert (effect().state, effect().contradiction) == ("contradicted", "ran_after")


def test_what_ran_from_when_to_when_is_kept_and_cannot_be_changed(
    node: SimulatedNode, live: Release
) -> None:
    revision = Revision.objects.select_related("endpoint").get()
    report(node, node.ran(revision), node.ran(revision, bento_digest="sha256:" + "0" * 64))
    kept = Receipt.objects.get()
    assert (kept.kind, kept.release, kept.endpoint) == ("ran", live.pk, live.endpoint_id)
    assert kept.started_at is not None and kept.started_at < kept.at
    assert refusals() == ["unknown_revision"]
    for statement in ("UPDATE assurance_receipt SET at = now()", "DELETE FROM assurance_receipt"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            connection.cursor().execute(statement)


def kept_events() -> list[dict[str, Any]]:
    """Return what each event about runs shows."""
    found = Event.objects.filter(kind="receipt.kept.v1").order_by("index")
    return [json.loads(body)["after"] for body in found.values_list("body", flat=True)]


def test_a_hundred_short_runs_within_a_minute_are_two_events_and_none_is_lost(
    node: SimulatedNode, live: Release
) -> None:
    revision = Revision.objects.select_related("endpoint").get()
    before, signed = Event.objects.count(), list[str]()
    for _ in range(5):
        signed += [node.ran(revision) for _ in range(20)]
        report(node, *signed[-20:])
    assert [len(shown) for shown in kept_events()] == [20]
    assert len(node.row.report["waiting"]) == 80

    node.a_minute_later()
    report(node)
    assert [len(shown) for shown in kept_events()] == [20, 80]
    assert set(Receipt.objects.values_list("envelope", flat=True)) == set(signed)
    assert node.row.report["waiting"] == []
    assert Event.objects.count() - before == 2
    assert_log_rebuilds_every_row(Receipt)


def test_a_run_that_waits_to_be_logged_contradicts_at_once(
    node: SimulatedNode, recalled: Recall
) -> None:
    revision = Revision.objects.get()
    report(node, node.ran(revision))
    node.confirm()
    report(node, node.ran(revision, ended_at=now() + timedelta(seconds=60)))
    assert len(node.row.report["waiting"]) == 1
    assert (effect().state, effect().contradiction) == ("contradicted", "ran_after")


def test_receipts_that_do_not_count_and_words_that_turn_are_logged_once_a_minute(
    node: SimulatedNode, recalled: Recall
) -> None:
    running = node.report_body()["revisions"]
    node.confirm()
    before = Event.objects.count()
    for number in range(10):
        at = now() + timedelta(milliseconds=number)
        report(node, "{}", node.stopped(recalled.pk, at=at), revisions=running)
        window = {"revision": effect().revisions[0], "seconds": 10, "status_2xx": 3}
        soon = rfc3339(now() + timedelta(seconds=30))
        report(node, metrics=[window | {"started_at": soon}])
    kinds = Event.objects.order_by("index").values_list("kind", flat=True)[before:]
    assert Counter(kinds) == {
        "receipt.refused.v1": 1,
        "recall.contradicted.v1": 1,
        "alert.opened.v1": 1,
    }


def test_a_lift_reaches_the_nodes_signed_too(story: Story, recalled: Recall, live: Release) -> None:
    lift(recalled, reason="a false alarm", actor=story.vera)
    story.run_jobs("control")
    story.node.pull()
    assert story.node.state["recalled"] == []
    assert len(story.node.state["recalls"]) == 2
    book = recalls.Book()
    book.add(recalls.read(Envelope.from_dict(e), ring()) for e in story.node.state["recalls"])
    assert book.forbids(bento_digest=live.bento_id, release="rel_another") is None
    assert book.forbids(bento_digest=live.bento_id, release=live.pk), "it stays revoked"


def test_a_report_with_too_much_in_it_is_refused_whole(node: SimulatedNode) -> None:
    assert node.report(receipts=["x" * 9000]).status_code == 400
    assert node.report(receipts=["x"] * 101).status_code == 400
    assert node.report(receipts="x").status_code == 400


def test_a_receipt_is_read_as_nothing_else(node: SimulatedNode, live: Release) -> None:
    revision = Revision.objects.select_related("endpoint").get()
    signed = Envelope.from_json(node.ran(revision))
    assert isinstance(recalls.receipt(signed, node.key.public, node.id), RanReceipt)
    with pytest.raises(Refused):
        recalls.read(signed, ring())
