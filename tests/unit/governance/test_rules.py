"""As what somebody decides, and along which ways a release goes."""

from typing import Any

import pytest

from apps.governance import rules
from apps.governance.approvals import ApprovalPolicy, Decider, Parties

BOTH: dict[str, Any] = {
    "gates": [
        {"gate": "approvals", "role": "reviewer", "count": 1},
        {"gate": "approvals", "role": "approver", "count": 1},
    ]
}


def decider(person: str = "per_rex", document: dict[str, Any] = BOTH) -> Decider:
    return Decider(person, ApprovalPolicy.of(document), Parties("per_ada", "per_alan"))


def roles(held: set[str], person: str = "per_rex", document: dict[str, Any] = BOTH) -> list[str]:
    return decider(person, document).counting(held)


def decides_as(held: set[str], missing: set[str]) -> str:
    results = [
        {"gate": "approvals", "facts": {"role": role, "missing": int(role in missing)}}
        for role in ("reviewer", "approver")
    ]
    return decider().role(held, results)


def test_somebody_decides_by_the_roles_they_hold() -> None:
    assert roles({"reviewer"}) == ["reviewer"]
    assert roles({"reviewer", "approver"}) == ["approver", "reviewer"]
    assert roles(set()) == []


@pytest.mark.parametrize("person", ["per_ada", "per_alan"])
def test_requester_and_author_decide_by_no_role(person: str) -> None:
    assert roles({"reviewer", "approver"}, person) == []
    assert roles({"reviewer"}, person, {"gates": [{"gate": "build"}]}) == []


def test_a_gate_that_lets_the_author_decide_does_so_for_that_role_alone() -> None:
    lax = {"gates": [{**BOTH["gates"][0], "exclude_author": False}, BOTH["gates"][1]]}
    assert roles({"reviewer", "approver"}, "per_alan", lax) == ["reviewer"]
    assert roles({"reviewer", "approver"}, "per_ada", lax) == []


def test_who_holds_both_counts_as_approver_while_one_is_missing() -> None:
    both = {"approver", "reviewer"}
    assert decides_as(both, {"approver", "reviewer"}) == "approver"
    assert decides_as(both, {"reviewer"}) == "reviewer"
    assert decides_as(both, set()) == "reviewer"
    assert decides_as({"approver"}, {"reviewer"}) == "approver"
    assert decides_as(set(), {"reviewer"}) == ""


def test_every_end_of_a_release_is_an_end_and_every_state_is_known() -> None:
    ends = {state for state, following in rules.RELEASE_MOVES.items() if not following}
    assert ends == {"rejected", "withdrawn", "expired", "rolled_back", "revoked", "retired"}
    assert set().union(*rules.RELEASE_MOVES.values()) <= set(rules.RELEASE_MOVES)
    assert not any(
        "rolling_out" in following
        for state, following in rules.RELEASE_MOVES.items()
        if state != "approved"
    )
