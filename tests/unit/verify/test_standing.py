"""Rules about independence, counted from the permit alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from placet_verify import canonical
from placet_verify.errors import Malformed
from placet_verify.permit.approvers import Signed
from placet_verify.permit.permit import PermitRefused, build_permit, permit
from placet_verify.permit.quorum import ApprovalRule, approval_rules, tally
from placet_verify.permit.standing import DEMANDS, UNKNOWN, Standing, independent
from placet_verify.statements import (
    DecisionStatement,
    StandingDecision,
    parse,
    read_decision,
)
from tests.support.permits import DOCUMENT, NOON, Case, Keys, valid_case

# The top of the bank, under which are trading and risk:
#   ceo ── head ── desk ── author, requester
#      └── cro ── validation ── reviewer, approver
DESK = ("per_desk", "per_head", "per_ceo")
RISK = ("per_validation", "per_cro", "per_ceo")
GOOD = Standing(
    line="second",
    reports_to=RISK,
    requester_reports_to=DESK,
    author_reports_to=DESK,
    touched=("per_author",),
    data_owners=("per_owner",),
    code_authors=("per_coder",),
)
KEYS = Keys()
PARTIES = {"person": "per_reviewer", "requester": "per_requester", "author": "per_author"}


def test_whoever_stands_well_meets_every_demand() -> None:
    assert [GOOD.obstacle(demand, **PARTIES) for demand in DEMANDS] == [""] * 5


def test_who_is_unknown_meets_none() -> None:
    assert [UNKNOWN.obstacle(demand, **PARTIES) for demand in DEMANDS] == [
        "no_line",
        "no_reporting_line",
        "touched_unknown",
        "data_owner_unknown",
        "code_author_unknown",
    ]
    assert GOOD.obstacle("a_rule_of_tomorrow", **PARTIES) == "unknown_demand"


@pytest.mark.parametrize(
    ("demand", "changes", "why"),
    [
        ("second_line", {"line": "first"}, "not_second_line"),
        ("second_line", {"line": "third"}, "not_second_line"),
        ("other_reporting_line", {"author_reports_to": None}, "no_reporting_line_of_author"),
        ("other_reporting_line", {"requester_reports_to": None}, "no_reporting_line_of_requester"),
        ("other_reporting_line", {"author_reports_to": RISK}, "reporting_line_of_author"),
        ("other_reporting_line", {"requester_reports_to": RISK}, "reporting_line_of_requester"),
        ("other_reporting_line", {"reports_to": DESK}, "reporting_line_of_requester"),
        ("not_last_touched", {"touched": ("per_author", "per_reviewer")}, "touched"),
        ("not_data_owner", {"data_owners": ("per_reviewer",)}, "data_owner"),
        ("not_code_author", {"code_authors": ("per_reviewer",)}, "code_author"),
    ],
)
def test_each_demand_says_why_not(demand: str, changes: dict[str, Any], why: str) -> None:
    assert replace(GOOD, **changes).obstacle(demand, **PARTIES) == why


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (("rex", "val", "cro", "ceo"), ("ada", "desk", "head", "ceo"), True),
        (("cro", "ceo"), ("head", "ceo"), True),  # both report to the top
        (("cro", "ceo"), ("rex", "val", "cro", "ceo"), False),  # above the other
        (("rex", "cro", "ceo"), ("ada", "cro", "ceo"), False),  # one manager
        (("rex", "val", "cro", "ceo"), ("ada", "dev", "cro", "ceo"), False),  # common below the top
        (("ceo",), ("ada", "desk", "ceo"), False),  # the top is above everybody
        (("rex", "ceo"), ("rex", "ceo"), False),  # the same person
        (("rex", "boss"), ("ada", "other boss"), True),  # two organisations
    ],
)
def test_lines_are_apart_when_they_meet_at_the_top_alone(
    one: tuple[str, ...], other: tuple[str, ...], apart: bool
) -> None:
    assert independent(one, other) is apart
    assert independent(other, one) is apart


@pytest.mark.parametrize(
    "members",
    [
        {},
        GOOD.to_dict() | {"more": 1},
        GOOD.to_dict() | {"line": "fourth"},
        GOOD.to_dict() | {"line": None},
        GOOD.to_dict() | {"touched": "per_author"},
        GOOD.to_dict() | {"reports_to": ["per_a", "per_a"]},
        GOOD.to_dict() | {"data_owners": [""]},
        [],
    ],
)
def test_another_form_is_no_standing(members: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Standing.from_dict(members)


def gate(role: str = "reviewer", **more: Any) -> dict[str, Any]:
    return {"gate": "approvals", "role": role, **more}


def test_some_of_a_gate_may_be_of_the_second_line() -> None:
    every = gate(count=2, second_line="all", not_data_owner=True)
    assert approval_rules({"gates": [every]}) == [
        ApprovalRule("reviewer", 2, demands=("second_line", "not_data_owner"))
    ]
    assert approval_rules({"gates": [gate(count=3, second_line=1)]}) == [
        ApprovalRule("reviewer", 1, demands=("second_line",)),
        ApprovalRule("reviewer", 2),
    ]
    assert approval_rules({"gates": [gate()]}) == [ApprovalRule("reviewer", 1)]


@pytest.mark.parametrize(
    "members",
    [
        {"second_line": True},
        {"second_line": 2},
        {"second_line": -1},
        {"second_line": "some"},
        {"second_line": None},
        {"not_data_owner": "yes"},
        {"other_reporting_line": 1},
        {"not_last_touched": None},
        {"not_code_author": []},
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        approval_rules({"gates": [gate(**members)]})


def test_who_is_not_of_the_second_line_fills_the_other_places() -> None:
    rules = approval_rules({"gates": [gate(count=2, second_line=1)]})
    first, second = replace(GOOD, line="first"), GOOD

    def met(*people: tuple[str, Standing]) -> list[bool]:
        return [
            count.met
            for count in tally(
                rules,
                requester="requester",
                author="author",
                approvals=[(name, "reviewer") for name, _ in people],
                standings=dict(people),
            )
        ]

    assert met(("ann", first), ("ben", second)) == [True, True]
    assert met(("ann", first), ("ben", first)) == [False, True]
    assert met(("ann", second), ("ben", second)) == [True, True]
    assert met(("ben", second)) == [True, False]


# the permit


def demanding(**demands: Any) -> Case:
    """Return a release under a policy that asks ``demands`` of its reviewer, well decided."""
    plain = valid_case()
    gates = [gate("reviewer", count=1, **demands), gate("approver", count=1)]
    policy = replace(plain.policy, document=DOCUMENT | {"gates": gates})
    request = replace(plain.request, policy_digest=policy.document_digest)
    reviewer, approver = plain.decisions
    members = {
        "verdict": "approve",
        "person": reviewer.person,
        "role": "reviewer",
        "nonce": reviewer.nonce,
        "at": reviewer.at,
    }
    return Case(
        policy,
        request,
        [
            StandingDecision.on(request, **members, standing=GOOD),
            replace(
                approver,
                **request.bound()
                | {
                    "not_after": request.not_after,
                    "request_digest": request.digest,
                },
            ),
        ],
    )


def verdict(case: Case) -> str:
    """Return why the permit does not hold, '' when it does."""
    try:
        document = case.document(KEYS.decision)
        permit(document, KEYS.ring, expect=case.expected(), starting_at=NOON + timedelta(hours=3))
    except PermitRefused as refusal:
        return refusal.code
    return ""


ALL = {
    "second_line": "all",
    "other_reporting_line": True,
    "not_last_touched": True,
    "not_data_owner": True,
    "not_code_author": True,
}
BAD = {
    "second_line": {"line": "first"},
    "other_reporting_line": {"reports_to": ("per_desk", "per_head", "per_ceo")},
    "not_last_touched": {"touched": ("per_reviewer",)},
    "not_data_owner": {"data_owners": ("per_reviewer",)},
    "not_code_author": {"code_authors": ("per_reviewer",)},
}
UNSAID = {
    "second_line": {"line": ""},
    "other_reporting_line": {"author_reports_to": None},
    "not_last_touched": {"touched": None},
    "not_data_owner": {"data_owners": None},
    "not_code_author": {"code_authors": None},
}


def test_a_decision_that_meets_every_demand_counts() -> None:
    assert verdict(demanding(**ALL)) == ""
    assert verdict(demanding(**dict.fromkeys(ALL, False) | {"second_line": 1})) == ""


@pytest.mark.parametrize("demand", DEMANDS)
@pytest.mark.parametrize("spoilt", [BAD, UNSAID])
def test_one_demand_that_is_not_met_is_enough(demand: str, spoilt: dict[str, Any]) -> None:
    case = demanding(**{demand: ALL[demand]})
    standing = replace(GOOD, **spoilt[demand])
    case = replace(
        case, decisions=[replace(case.decisions[0], standing=standing), case.decisions[1]]
    )
    assert verdict(case) == "quorum"


@pytest.mark.parametrize("demand", DEMANDS)
def test_a_decision_of_before_the_rules_meets_none(demand: str) -> None:
    case = demanding(**{demand: ALL[demand]})
    decision = case.decisions[0]
    old = DecisionStatement.on(
        case.request,
        verdict="approve",
        person=decision.person,
        role=decision.role,
        nonce=decision.nonce,
        at=decision.at,
    )
    assert verdict(replace(case, decisions=[old, case.decisions[1]])) == "quorum"


def test_a_standing_that_somebody_wrote_into_the_envelope_is_not_signed() -> None:
    case = demanding(second_line="all")
    first = replace(case.decisions[0], standing=replace(GOOD, line="first"))
    envelope = first.sign(KEYS.decision)
    forged = replace(envelope, payload=envelope.payload.replace(b'"first"', b'"second"'))
    assert forged.payload != envelope.payload
    document = build_permit(
        Signed(case.policy.sign(KEYS.decision)),
        case.request.sign(KEYS.decision),
        [Signed(forged), Signed(case.decisions[1].sign(KEYS.decision))],
    )
    with pytest.raises(PermitRefused):
        permit(document, KEYS.ring, expect=case.expected(), starting_at=None)


def test_decisions_with_and_without_standing_are_read_for_ever() -> None:
    with_standing = demanding(**ALL).decisions[0]
    without = valid_case().decisions[0]
    for statement in (with_standing, without):
        assert parse(statement.payload()) == statement
        assert read_decision(statement.payload(), passkey=False) == statement
        with pytest.raises(Malformed):
            read_decision(statement.payload(), passkey=True)


def test_the_exact_form_has_no_second_order_of_people() -> None:
    statement = demanding(**ALL).decisions[0]
    members = canonical.loads(statement.payload())
    members["predicate"]["standing"]["touched"] = ["per_b", "per_a"]
    with pytest.raises(Malformed):
        parse(canonical.dumps(members))
