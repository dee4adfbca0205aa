"""A permit holds for exactly what people approved: change any one bound thing and it is void."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_verify.errors import Refused
from placet_verify.permit.permit import Permit, PermitRefused, permit
from placet_verify.statements import DecisionStatement, RequestStatement
from tests.support.permits import NOON, OTHER, Case, Keys, approvals, digest_of, valid_case

KEYS = Keys()
RING = KEYS.ring
CASE = valid_case()
VALID = CASE.document(KEYS.decision)


def check(document: str, case: Case = CASE, **more: Any) -> Permit:
    return permit(
        document, RING, expect=more.pop("expect", case.expected()), starting_at=NOON, **more
    )


def refusal(document: str, **more: Any) -> str:
    with pytest.raises(PermitRefused) as caught:
        check(document, **more)
    assert caught.value.sentence
    return caught.value.code


def changed_evidence() -> st.SearchStrategy[list[str]]:
    """The pinned evidence with one digest replaced, dropped or added."""
    pinned = CASE.request.evidence
    place = st.integers(0, len(pinned) - 1)
    replaced = place.map(lambda i: [*pinned[:i], digest_of("other evidence"), *pinned[i + 1 :]])
    dropped = place.map(lambda i: pinned[:i] + pinned[i + 1 :])
    return st.one_of(replaced, dropped, st.just([*pinned, digest_of("later evidence")]))


ANY_CHANGE = st.one_of(
    st.sampled_from(sorted(OTHER)).map(lambda name: {name: OTHER[name]}),
    changed_evidence().map(lambda evidence: {"evidence": evidence}),
)


def test_what_two_people_approved_may_run() -> None:
    found = check(VALID)
    assert found.request == replace(CASE.request, evidence=sorted(CASE.request.evidence))
    assert {decision.person for decision in found.decisions} == {"per_reviewer", "per_approver"}


@given(change=ANY_CHANGE)
def test_a_request_changed_after_people_decided_is_void(change: dict[str, Any]) -> None:
    """Even when the thief of the decision key signs the changed request properly."""
    case = replace(CASE, request=replace(CASE.request, **change))
    refusal(case.document(KEYS.decision))
    refusal(case.document(KEYS.decision), case=case)


@given(change=ANY_CHANGE, which=st.integers(0, 1))
def test_a_decision_over_anything_else_is_void(change: dict[str, Any], which: int) -> None:
    decisions = list(CASE.decisions)
    decisions[which] = replace(decisions[which], **change)
    document = replace(CASE, decisions=decisions).document(KEYS.decision)
    assert refusal(document) == "bound_differs"


@given(name=st.sampled_from(["project", "environment", "endpoint", "bento_digest", "release"]))
def test_a_permit_for_one_place_is_void_in_another(name: str) -> None:
    expect = replace(CASE.expected(), **{name: OTHER[name]})
    assert refusal(VALID, expect=expect) == f"other_{name}"


def test_a_node_refuses_another_serving_configuration() -> None:
    expect = replace(CASE.expected(), serving=OTHER["serving"])
    assert refusal(VALID, expect=expect) == "other_serving"


@given(
    change=st.sampled_from(
        [
            {"document": {"version": 1, "gates": []}},
            {"number": 4},
            {"revision_id": "pol_9"},
            {"project": "prj_2"},
            {"environment": "staging"},
        ]
    )
)
def test_another_policy_cannot_be_slipped_in(change: dict[str, Any]) -> None:
    case = replace(CASE, policy=replace(CASE.policy, **change))
    assert refusal(case.document(KEYS.decision)) == "policy_differs"


@given(
    change=st.sampled_from(
        [
            {"person": "per_somebody"},
            {"role": "approver"},
            {"nonce": "another-nonce-0001"},
            {"comment_commitment": digest_of("another comment")},
            {"verdict": "reject"},
            {"at": NOON + timedelta(hours=5)},
        ]
    ),
    which=st.integers(0, 1),
)
def test_nobody_edits_a_decision_without_the_key(change: dict[str, str], which: int) -> None:
    document = json.loads(VALID)
    decision = replace(CASE.decisions[which], **change)  # type: ignore[arg-type]
    if decision == CASE.decisions[which]:
        decision = replace(decision, role="reviewer")
    document["decisions"][which]["payload"] = base64.b64encode(decision.payload()).decode()
    assert refusal(json.dumps(document)) == "bad_signature"


@given(data=st.data())
def test_a_flipped_bit_in_any_payload_or_signature_is_noticed(data: st.DataObject) -> None:
    document = json.loads(VALID)
    envelope = data.draw(
        st.sampled_from([document["policy"], document["request"], *document["decisions"]])
    )
    holder, member = data.draw(
        st.sampled_from([(envelope, "payload"), (envelope["signatures"][0], "sig")])
    )
    raw = bytearray(base64.b64decode(holder[member]))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    holder[member] = base64.b64encode(raw).decode()
    refusal(json.dumps(document))


@pytest.mark.parametrize("which", [0, 1])
def test_a_removed_decision_leaves_the_quorum_short(which: int) -> None:
    decisions = [d for place, d in enumerate(CASE.decisions) if place != which]
    assert refusal(replace(CASE, decisions=decisions).document(KEYS.decision)) == "quorum"


def test_a_permit_without_any_decision_is_void() -> None:
    assert refusal(replace(CASE, decisions=[]).document(KEYS.decision)) == "quorum"


def test_the_same_person_cannot_decide_twice_in_two_roles() -> None:
    document = CASE.decided_again(person="per_reviewer").document(KEYS.decision)
    assert refusal(document) == "person_twice"


def test_a_decision_cannot_be_counted_twice() -> None:
    reviewer = CASE.decisions[0]
    document = replace(CASE, decisions=[reviewer, reviewer]).document(KEYS.decision)
    assert refusal(document) == "person_twice"


def test_a_nonce_serves_once() -> None:
    reused = CASE.decided_again(nonce=CASE.decisions[0].nonce).document(KEYS.decision)
    assert refusal(reused) == "nonce_twice"
    of_request = CASE.decided_again(nonce=CASE.request.nonce).document(KEYS.decision)
    assert refusal(of_request) == "nonce_twice"


def test_a_rejection_outweighs_every_assent() -> None:
    against = replace(
        CASE.decisions[0], verdict="reject", person="per_third", nonce="third-nonce-000001"
    )
    document = replace(CASE, decisions=[*CASE.decisions, against]).document(KEYS.decision)
    assert refusal(document) == "rejected"


def test_a_request_for_changes_holds_what_everybody_else_assents_to() -> None:
    asks = replace(
        CASE.decisions[0], verdict="request_changes", person="per_third", nonce="third-nonce-000001"
    )
    for decisions in ([*CASE.decisions, asks], [asks, *CASE.decisions], [asks]):
        document = replace(CASE, decisions=decisions).document(KEYS.decision)
        assert refusal(document) == "changes_requested"
    with pytest.raises(ValueError, match="a verdict is approve, request_changes or reject"):
        replace(asks, verdict="changes_requested")


@pytest.mark.parametrize("who", ["per_requester", "per_author"])
def test_requester_and_author_do_not_count(who: str) -> None:
    assert refusal(CASE.decided_again(person=who).document(KEYS.decision)) == "quorum"


def test_the_policy_may_say_that_the_requester_counts() -> None:
    gates = [{"gate": "approvals", "role": "reviewer", "count": 1, "exclude_requester": False}]
    policy = replace(CASE.policy, document={"version": 1, "gates": gates})
    request = replace(CASE.request, policy_digest=policy.document_digest)
    decision = replace(approvals(request)[0], person="per_requester")
    case = Case(policy, request, [decision])
    assert check(case.document(KEYS.decision), case).decisions == (sorted_evidence(decision),)


@pytest.mark.parametrize("purpose", ["build", "state", "log", "root"])
@pytest.mark.parametrize("part", ["policy", "request", "decision"])
def test_a_key_of_another_purpose_signs_nothing_here(purpose: str, part: str) -> None:
    document = json.loads(VALID)
    wrong = getattr(KEYS, purpose)
    if part == "decision":
        document["decisions"][0] = CASE.decisions[0].sign(wrong).to_dict()
    else:
        document[part] = getattr(CASE, part).sign(wrong).to_dict()
    expected = "unknown_key" if purpose == "root" else "wrong_purpose"
    assert refusal(json.dumps(document)) == expected


def test_a_stranger_who_names_the_decision_key_is_refused() -> None:
    document = json.loads(VALID)
    forged = CASE.decisions[0].sign(Keys().decision).to_dict()
    forged["signatures"][0]["keyid"] = KEYS.decision.id
    document["decisions"][0] = forged
    assert refusal(json.dumps(document)) == "bad_signature"


def test_a_decision_is_not_taken_for_a_request() -> None:
    document = json.loads(VALID)
    document["request"] = document["decisions"][0]
    assert refusal(json.dumps(document)) == "wrong_type"


def test_expiry_ends_the_right_to_start_and_nothing_else() -> None:
    late = CASE.request.not_after + timedelta(seconds=1)
    with pytest.raises(PermitRefused) as caught:
        permit(VALID, RING, expect=CASE.expected(), starting_at=late)
    assert caught.value.code == "expired"
    assert permit(VALID, RING, expect=CASE.expected(), starting_at=None).not_after < late


def test_a_request_cannot_grant_itself_more_time_than_the_policy() -> None:
    request = replace(CASE.request, not_after=NOON + timedelta(days=15))
    case = Case(CASE.policy, request, approvals(request))
    assert refusal(case.document(KEYS.decision)) == "expiry_too_late"


def test_a_replaced_policy_no_longer_counts() -> None:
    assert check(VALID, policy_floor=3).policy.number == 3
    assert refusal(VALID, policy_floor=4) == "policy_too_old"


def test_a_policy_published_by_its_drafter_lets_nothing_run() -> None:
    policy = replace(CASE.policy, drafted_by="per_approver")
    assert refusal(replace(CASE, policy=policy).document(KEYS.decision)) == "policy_self_published"


@pytest.mark.parametrize(
    "gates",
    [
        None,
        ["approvals"],
        [{"gate": "approvals"}],
        [{"gate": "approvals", "role": "reviewer", "count": 0}],
        [{"gate": "approvals", "role": "reviewer", "count": True}],
        [{"gate": "approvals", "role": "reviewer", "exclude_author": "no"}],
    ],
)
def test_a_policy_that_makes_no_sense_fails_closed(gates: Any) -> None:
    policy = replace(CASE.policy, document={"version": 1, "gates": gates})
    request = replace(CASE.request, policy_digest=policy.document_digest)
    case = Case(policy, request, approvals(request))
    assert refusal(case.document(KEYS.decision)) == "malformed"


@given(text=st.one_of(st.text(max_size=40), st.just("[" * 200_000), st.just('{"v":1}')))
def test_text_that_is_no_permit_is_refused_in_words(text: str) -> None:
    assert refusal(text) in {"malformed", "no_permit"}


def sorted_evidence(
    statement: DecisionStatement,
) -> DecisionStatement:
    """Return ``statement`` as it reads after a round trip."""
    return replace(statement, evidence=sorted(statement.evidence))


def test_every_statement_reads_back_as_it_was_written() -> None:
    assert RequestStatement.parse(CASE.request.payload()).payload() == CASE.request.payload()
    decision = CASE.decisions[0]
    assert DecisionStatement.parse(decision.payload()) == sorted_evidence(decision)


def test_a_member_that_nobody_reads_cannot_hide_in_a_statement() -> None:
    members = json.loads(CASE.request.payload())
    members["predicate"]["surprise"] = 1
    with pytest.raises(Refused):
        RequestStatement.parse(json.dumps(members).encode())
