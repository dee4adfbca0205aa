"""A broken glass lets start what a responder opened and others confirmed, where and while the
policy says so, and nothing else."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placet_verify.errors import Refused
from placet_verify.permit.approvers import Signed
from placet_verify.permit.permit import Permit, PermitRefused, build_permit, envelopes, permit
from placet_verify.recalls import Uncounted
from placet_verify.signing.keys import KeyRing
from placet_verify.statements import BreakGlassStatement, DecisionStatement, parse
from tests.support.break_glass_permits import (
    GLASS,
    UNTIL,
    BrokenCase,
    broken_by,
    broken_case,
    confirmed_by,
)
from tests.support.permits import NOON, OTHER, Keys, approvals, digest_of, valid_case

KEYS = Keys()
RING = KEYS.ring
CASE = broken_case()
VALID = CASE.document(KEYS.decision)


def check(document: str, case: BrokenCase = CASE, **more: Any) -> Permit:
    at = more.pop("starting_at", NOON + timedelta(hours=1))
    return permit(document, RING, expect=case.expected(), starting_at=at, **more)


def refusal(case: BrokenCase, **more: Any) -> str:
    with pytest.raises(PermitRefused) as caught:
        check(case.document(KEYS.decision), case, **more)
    assert caught.value.sentence
    return caught.value.code


def test_what_two_people_broke_the_glass_for_may_start() -> None:
    found = check(VALID)
    assert [one.person for one in found.glass] == ["per_responder", "per_approver"]
    assert not found.decisions
    assert json.loads(VALID)["v"] == 3
    named = [what for what, _ in envelopes(VALID)]
    assert named == ["policy", "request", "break-glass", "break-glass"]


def test_it_starts_until_its_time_is_over_and_serves_on() -> None:
    assert check(VALID, starting_at=UNTIL).not_after == UNTIL
    assert refusal(CASE, starting_at=UNTIL + timedelta(microseconds=1)) == "expired"
    assert check(VALID, starting_at=None).glass


def test_nobody_breaks_a_glass_that_the_policy_does_not_have() -> None:
    assert refusal(broken_case(None)) == "no_break_glass"


@pytest.mark.parametrize(
    "said",
    [
        [],
        "yes",
        {"people": 1},
        {"people": True},
        {"people": 6},
        {"hours": 0},
        {"hours": 73},
        {"hours": 1.5},
        {"passkey": "no"},
        {"skip": ["scan"]},
        {"skip": ["build"]},
        {"skip": ["model_signature"]},
        {"skip": ["approvals"]},
        {"skip": "freeze"},
    ],
)
def test_a_policy_that_makes_no_sense_or_skips_too_much_breaks_nothing(said: Any) -> None:
    assert refusal(broken_case(said)) == "malformed"


def test_one_person_alone_never_breaks_it() -> None:
    assert refusal(replace(CASE, glass=CASE.glass[:1])) == "quorum"
    assert refusal(replace(CASE, glass=CASE.glass[1:])) == "opening"
    alone = CASE.confirmed_again(person="per_responder")
    assert refusal(alone) == "person_twice"
    assert refusal(CASE.confirmed_again(role="responder")) == "quorum"


@pytest.mark.parametrize("who", ["per_requester", "per_author"])
def test_requester_and_author_open_it_and_do_not_confirm_it(who: str) -> None:
    assert refusal(CASE.confirmed_again(person=who)) == "quorum"
    case = CASE.opened_again(person=who)
    assert check(case.document(KEYS.decision), case).glass[0].person == who


def test_more_people_where_the_policy_wants_more() -> None:
    case = broken_case(GLASS | {"people": 3})
    assert refusal(case) == "quorum"
    third = confirmed_by(case.glass[0], case.request, "per_third")
    more = replace(case, glass=[*case.glass, third])
    assert len(check(more.document(KEYS.decision), more).glass) == 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"until": NOON + timedelta(hours=4, microseconds=1)}, "other_opening"),
        ({"until": NOON + timedelta(hours=1)}, "other_opening"),
        ({"opening": digest_of("another opening")}, "other_opening"),
        ({"opening": "", "comment_commitment": digest_of("mine")}, "opening"),
        ({"at": UNTIL + timedelta(seconds=1)}, "confirmed_too_late"),
        ({"at": NOON - timedelta(seconds=1)}, "confirmed_too_late"),
        ({"nonce": "opening-nonce-0001"}, "nonce_twice"),
        ({"nonce": "short"}, "weak_nonce"),
        ({"role": "reviewer"}, "quorum"),
        ({"person": ""}, "nobody"),
    ],
)
def test_a_confirmation_is_of_exactly_what_was_opened(changes: dict[str, Any], code: str) -> None:
    assert refusal(CASE.confirmed_again(**changes)) == code


def test_it_lasts_no_longer_than_the_policy_says() -> None:
    late = NOON + timedelta(hours=4, microseconds=1)
    case = CASE.opened_again(until=late)
    longer = replace(case, glass=[case.glass[0], replace(case.glass[1], until=late)])
    assert refusal(longer) == "too_long"
    early = NOON - timedelta(hours=1)
    case = CASE.opened_again(until=early)
    ended = replace(case, glass=[case.glass[0], replace(case.glass[1], until=early)])
    assert refusal(ended) == "too_short"


def test_it_is_opened_by_a_responder_and_once() -> None:
    assert refusal(CASE.opened_again(role="approver")) == "opening"
    second = replace(CASE.glass[0], person="per_other", nonce="another-nonce-0001")
    assert refusal(replace(CASE, glass=[*CASE.glass, second])) == "opening"


@given(name=st.sampled_from(sorted(OTHER)), which=st.integers(0, 1))
def test_what_people_signed_is_of_this_very_request(name: str, which: int) -> None:
    glass = list(CASE.glass)
    glass[which] = replace(glass[which], **{name: OTHER[name]})
    assert refusal(replace(CASE, glass=glass)) == "bound_differs"


def test_what_people_signed_for_another_release_is_void() -> None:
    other = replace(CASE.request, nonce="another-nonce-0002")
    assert refusal(replace(CASE, glass=broken_by(other))) == "other_request"


def test_a_decision_is_no_break_glass_and_a_break_glass_no_decision() -> None:
    """Whoever has the server's key cannot pass one off as the other."""
    decided = [Signed(one.sign(KEYS.decision)) for one in approvals(CASE.request)]
    glass = [Signed(one.sign(KEYS.decision)) for one in CASE.glass]
    policy, request = Signed(CASE.policy.sign(KEYS.decision)), CASE.request.sign(KEYS.decision)
    for document in (
        build_permit(policy, request, glass),
        build_permit(policy, request, [], (), decided),
        build_permit(policy, request, glass, (), glass),
    ):
        with pytest.raises(PermitRefused) as caught:
            check(document)
        assert caught.value.code == "wrong_type"


def test_approvals_made_before_stay_beside_it_and_a_rejection_stops_it() -> None:
    reviewer = approvals(CASE.request)[0]
    case = broken_case(decisions=[reviewer])
    assert check(case.document(KEYS.decision), case).decisions[0].person == "per_reviewer"
    assert refusal(broken_case(decisions=[replace(reviewer, verdict="reject")])) == "rejected"
    both = replace(reviewer, person="per_approver", role="approver")
    case = broken_case(decisions=[both])
    assert check(case.document(KEYS.decision), case).decisions[0].person == "per_approver"


def test_a_recall_of_either_person_stops_it() -> None:
    for who in ("per_responder", "per_approver"):
        assert refusal(CASE, uncounted=Uncounted(people=frozenset({who})))
    keys = Uncounted(keys=frozenset({KEYS.decision.id}))
    assert refusal(CASE, uncounted=keys) == "key_recalled"


def test_passkeys_are_demanded_where_an_approval_demands_them() -> None:
    gates = [{"gate": "approvals", "role": "approver", "count": 1, "passkey": True}]
    assert refusal(broken_case(gates=gates)) == "quorum"
    assert refusal(broken_case(GLASS | {"passkey": True})) == "quorum"


def test_where_keys_json_demands_passkeys_nobody_breaks_the_glass_without() -> None:
    ring = replace_pinned("production")
    with pytest.raises(PermitRefused) as caught:
        permit(VALID, ring, expect=CASE.expected(), starting_at=NOON)
    assert caught.value.code == "policy_without_passkey"


def replace_pinned(environment: str) -> Any:
    return KeyRing(2, tuple(RING), KEYS.root.public, frozenset({environment}))


@given(data=st.data())
def test_a_flipped_bit_in_any_statement_is_noticed(data: st.DataObject) -> None:
    document = json.loads(VALID)
    envelope = data.draw(st.sampled_from(document["break_glass"]))["envelope"]
    holder, member = data.draw(
        st.sampled_from([(envelope, "payload"), (envelope["signatures"][0], "sig")])
    )
    raw = bytearray(base64.b64decode(holder[member]))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    holder[member] = base64.b64encode(raw).decode()
    with pytest.raises(PermitRefused):
        check(json.dumps(document))


@pytest.mark.parametrize("change", [{"v": 2}, {"v": 1}, {"break_glass": []}, {"more": 1}])
def test_a_permit_of_another_shape_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(PermitRefused) as caught:
        check(json.dumps(json.loads(VALID) | change))
    assert caught.value.code == "malformed"


def test_the_statements_read_back_and_a_reason_is_needed() -> None:
    for one in CASE.glass:
        assert parse(one.payload()).payload() == one.payload()
        with pytest.raises(Refused):
            DecisionStatement.parse(one.payload())
    members = json.loads(CASE.glass[0].payload())
    members["predicate"]["comment_commitment"] = ""
    with pytest.raises(Refused):
        BreakGlassStatement.parse(json.dumps(members).encode())


def test_permits_from_before_are_read_as_they_were() -> None:
    case = valid_case()
    found = permit(case.document(KEYS.decision), RING, expect=case.expected(), starting_at=NOON)
    assert not found.glass
    assert found.not_after == case.request.not_after
