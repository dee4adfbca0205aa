"""A recall that was seen once counts until a lift of that very recall is seen."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from placet_verify import canonical, recalls
from placet_verify.errors import Refused
from placet_verify.permit.permit import PermitRefused, holds
from placet_verify.recalls import Book, Uncounted
from placet_verify.signing.keys import PrivateKey
from placet_verify.statements import (
    LiftStatement,
    RanReceipt,
    RecalledNames,
    RecallStatement,
    StoppedReceipt,
    parse,
)
from tests.support.authenticator import Authenticator
from tests.support.passkey_release import Signing
from tests.support.permits import NOON, Keys, digest_of, valid_case

KEYS = Keys()
BENTO = digest_of("bento")
RECALL = RecallStatement(
    recall="rcl_1",
    project="prj_1",
    kind="bento",
    what=BENTO,
    by="per_1",
    names=RecalledNames.of(bentos=[BENTO], releases=["rel_1"]),
    reason=digest_of("why"),
    at=NOON,
)
LIFT = LiftStatement(
    recall="rcl_1",
    recall_digest=RECALL.digest,
    by="per_2",
    reason=digest_of("why not"),
    at=NOON + timedelta(hours=1),
)
RAN = RanReceipt(
    node="nod_1",
    target="tgt_1",
    endpoint="end_1",
    release="rel_1",
    revision="rev_1",
    bento_digest=BENTO,
    started_at=NOON,
    ended_at=NOON + timedelta(hours=1),
)
STOPPED = StoppedReceipt(
    node="nod_1", target="tgt_1", recall="rcl_1", recall_digest=RECALL.digest, at=NOON
)


@pytest.mark.parametrize("statement", [RECALL, LIFT, RAN, STOPPED], ids=lambda s: s.TYPE)
def test_every_kind_reads_back_to_the_byte(statement: Any) -> None:
    assert parse(statement.payload()) == statement


@pytest.mark.parametrize(
    "spoil",
    [
        lambda p: p["names"]["bentos"].append(BENTO),
        lambda p: p["names"].update(releases=["rel_2", "rel_1"]),
        lambda p: p["names"].update(more=[]),
        lambda p: p["names"].pop("people"),
        lambda p: p.update(extra=1),
        lambda p: p.update(at="2026-11-25T12:00:00"),
    ],
)
def test_a_recall_that_is_not_exact_is_none(spoil: Any) -> None:
    members = canonical.loads(RECALL.payload())
    spoil(members["predicate"])
    with pytest.raises(Refused):
        parse(canonical.dumps(members))


def test_a_run_does_not_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="before"):
        replace(RAN, ended_at=NOON - timedelta(seconds=1))


def test_only_the_decision_key_recalls_and_lifts() -> None:
    ring = KEYS.ring
    assert recalls.read(RECALL.sign(KEYS.decision), ring) == RECALL
    for key in (KEYS.state, KEYS.build, KEYS.root, KEYS.log, PrivateKey.generate()):
        for statement in (RECALL, LIFT):
            with pytest.raises(Refused):
                recalls.read(statement.sign(key), ring)
    with pytest.raises(Refused):
        recalls.read(valid_case().decisions[0].sign(KEYS.decision), ring)


def test_a_receipt_is_the_nodes_own() -> None:
    key = PrivateKey.generate()
    assert recalls.receipt(RAN.sign(key), key.public, "nod_1") == RAN
    for signer, node in ((PrivateKey.generate(), "nod_1"), (key, "nod_2")):
        with pytest.raises(Refused):
            recalls.receipt(STOPPED.sign(signer), key.public, node)
    with pytest.raises(Refused):
        recalls.receipt(RECALL.sign(key), key.public, "nod_1")


def test_the_list_only_grows_and_a_lift_gives_no_release_back() -> None:
    book = Book()
    assert book.add([RECALL]) and not book.add([RECALL]) and not book.add([])
    other = {"bento_digest": digest_of("another"), "release": "rel_2"}
    assert book.forbids(**other) is None
    assert book.forbids(bento_digest=BENTO, release="rel_2") == RECALL
    assert book.add([LIFT]) and book.standing == []
    assert book.forbids(bento_digest=BENTO, release="rel_2") is None
    assert book.forbids(bento_digest=BENTO, release="rel_1") == RECALL


def test_a_lift_of_another_statement_lifts_nothing() -> None:
    book = Book()
    book.add([replace(LIFT, recall_digest=digest_of("another")), RECALL])
    assert book.standing == [RECALL]


def test_a_permit_counts_nobody_whose_decisions_were_recalled() -> None:
    case = valid_case()
    document, ring = case.document(KEYS.decision), KEYS.ring
    first, second = case.decisions
    assert len(holds(document, ring, uncounted=Uncounted()).decisions) == 2
    for person in (first.person, second.person):
        with pytest.raises(PermitRefused) as refused:
            holds(document, ring, uncounted=Uncounted(people=frozenset({person})))
        assert refused.value.code == "quorum"
    stranger = Uncounted(people=frozenset({"per_other"}), keys=frozenset({KEYS.build.id}))
    assert holds(document, ring, uncounted=stranger)


def test_a_permit_with_any_signature_of_a_recalled_key_is_void() -> None:
    document = valid_case().document(KEYS.decision)
    with pytest.raises(PermitRefused) as refused:
        holds(document, KEYS.ring, uncounted=Uncounted(keys=frozenset({KEYS.decision.id})))
    assert refused.value.code == "key_recalled"


def test_a_recalled_passkey_counts_for_nothing_nor_does_whom_it_vouched_for() -> None:
    signing = Signing()
    document, ring = signing.permit(signing.case()), signing.ring
    assert len(holds(document, ring).passkeys) == 2

    def refused(passkey: Authenticator) -> str:
        with pytest.raises(PermitRefused) as refusal:
            holds(document, ring, uncounted=Uncounted(passkeys=frozenset({passkey.credential})))
        return refusal.value.code

    assert refused(signing.reviewer) == "quorum"
    # the approver's published the policy, and vouches for the reviewer's
    assert refused(signing.approver) == "not_enrolled"
    assert holds(document, ring, uncounted=Uncounted(passkeys=frozenset({"another"})))
