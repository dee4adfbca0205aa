"""Who counts for which approval."""

import pytest

from placet_verify.errors import Malformed
from placet_verify.permit.quorum import ApprovalRule, approval_rules, expiry_days, tally

REVIEWER = ApprovalRule("reviewer", 1)
APPROVER = ApprovalRule("approver", 1)


def people(rules: list[ApprovalRule], *approvals: tuple[str, str]) -> list[tuple[str, ...]]:
    counted = tally(rules, requester="requester", author="author", approvals=approvals)
    return [count.people for count in counted]


def test_each_role_is_counted_for_itself() -> None:
    assert people([REVIEWER, APPROVER], ("ann", "reviewer"), ("bob", "approver")) == [
        ("ann",),
        ("bob",),
    ]


def test_one_person_is_one_person_in_every_role() -> None:
    counted = people([REVIEWER, APPROVER], ("ann", "reviewer"), ("ann", "approver"))
    assert counted == [("ann",), ()]


def test_two_gates_of_one_role_need_two_people() -> None:
    assert people([REVIEWER, REVIEWER], ("ann", "reviewer")) == [("ann",), ()]


def test_the_strict_gate_chooses_first() -> None:
    lax = ApprovalRule("reviewer", 1, exclude_requester=False)
    approvals = [("ann", "reviewer"), ("requester", "reviewer")]
    assert people([lax, REVIEWER], *approvals) == [("requester",), ("ann",)]


def test_requester_and_author_count_only_where_the_policy_says_so() -> None:
    lax = ApprovalRule("reviewer", 2, exclude_requester=False, exclude_author=False)
    approvals = [("requester", "reviewer"), ("author", "reviewer")]
    assert people([REVIEWER], *approvals) == [()]
    assert people([lax], *approvals) == [("requester", "author")]


def test_what_is_missing_is_said() -> None:
    (count,) = tally(
        [ApprovalRule("reviewer", 3)],
        requester="r",
        author="a",
        approvals=[("ann", "reviewer")],
    )
    assert (count.met, count.missing) == (False, 2)


def test_rules_come_from_the_policy_document() -> None:
    gates = [{"gate": "build"}, {"gate": "approvals", "role": "approver", "exclude_author": False}]
    assert approval_rules({"gates": gates}) == [ApprovalRule("approver", 1, exclude_author=False)]


@pytest.mark.parametrize("days", [0, -1, True, "14", 10**9, float("nan")])
def test_an_expiry_that_makes_no_sense_is_refused(days: object) -> None:
    with pytest.raises(Malformed):
        expiry_days({"expires_after_days": days})
    assert expiry_days({}) == 14
