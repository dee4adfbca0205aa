"""What the page of an environment's policies says of drafts, its history and trials."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from apps.console.queries.passkeys import Signing
from apps.console.queries.policies import PolicyRow
from apps.console.queries.policy_page import Draft, PastPolicy
from apps.console.queries.policy_trial import PolicyTrial, Trial, shortages
from apps.governance.queries.deciders import RoleHolders
from apps.governance.queries.people import NamedPerson

PASSKEY = Signing([], "/api/v1/x", "passkey")


def draft(signing: Signing | None = None, *, own: bool = False, publishes: bool = True) -> Draft:
    """Return a draft for a reader who may draft, and perhaps publish."""
    row = cast("Any", SimpleNamespace(number=3))
    may = {"may_publish": publishes, "may_draft": True}
    return Draft(row, "Ada", "/x", signing, is_own=own, others="", **may)


@pytest.mark.parametrize(
    ("found", "plainly", "signed"),
    [
        (draft(), True, False),
        (draft(PASSKEY), False, True),
        (draft(own=True), False, False),
        (draft(PASSKEY, own=True), False, False),
        (draft(publishes=False), False, False),
    ],
)
def test_another_publishes_a_draft_as_the_policy_demands(
    found: Draft, plainly: bool, signed: bool
) -> None:
    assert (found.is_published_plainly, found.is_published_signed) == (plainly, signed)
    assert (found.title, found.may_decide) == ("Draft r3", True)


def test_history_says_who_wrote_and_who_published() -> None:
    row = SimpleNamespace(state="published", published_by="per_2")
    past = PastPolicy(cast("Any", row), "Ada", "Rex", in_force=False)
    assert (past.people, past.state) == ("drafted by Ada, published by Rex", "superseded")
    written = PastPolicy(
        cast("Any", SimpleNamespace(state="draft", published_by="")), "Ada", "", False
    )
    assert (written.people, written.state) == ("drafted by Ada", "draft")


def trial(state: str, decisions: int = 0, stands: str = "requested") -> Trial:
    """Return a release that a policy was tried on, one of whose gates is in ``state``."""
    built = {"title": "Built", "passed": True, "state": "passed"}
    fresh = {"title": "Fresh", "passed": state == "passed", "state": state}
    release = SimpleNamespace(state=stands)
    row = SimpleNamespace(before=(built,), results=(built, fresh), release=release)
    row.decisions = decisions
    return Trial(cast("Any", row))


@pytest.mark.parametrize("state", ["waiting", "failed", "error"])
def test_a_trial_says_whether_a_gate_would_wait_or_has_failed(state: str) -> None:
    tried = trial(state)
    assert (tried.now, tried.then) == ("passed", "waiting" if state == "waiting" else "failed")
    assert [gate["title"] for gate in tried.held] == ["Fresh"]


def test_a_trial_says_which_decisions_publishing_drops() -> None:
    kept = PolicyTrial([trial("passed", 2, "live"), trial("waiting")], [])
    assert kept.dropped == ""
    assert "drops the 1 decision on" in PolicyTrial([trial("waiting", 1)], []).dropped
    assert "drops the 3 decisions on" in PolicyTrial([trial("failed", 3)], []).dropped


def test_a_policy_that_asks_for_more_people_than_there_are_says_so() -> None:
    alma = NamedPerson("per_1", "Alma", ("approver",))
    there = [RoleHolders("reviewer", ()), RoleHolders("approver", (alma,))]

    def asked(role: str, count: int) -> list[str]:
        return list(shortages([{"gate": "approvals", "role": role, "count": count}], there))

    assert asked("approver", 2) == [
        "It asks for 2 approvers, and only 1 person holds that role here (Alma): no release could "
        "be approved, so it cannot be published."
    ]
    assert "It asks for 1 reviewer, and nobody holds that role here: " in asked("reviewer", 1)[0]
    assert asked("approver", 1) == []
    assert list(shortages([{"gate": "approvals", "role": "approver", "count": 2}], [])) == []


def test_a_policy_whose_gates_share_too_few_people_says_so() -> None:
    alma, rex = (NamedPerson(f"per_{name}", name, ()) for name in ("Alma", "Rex"))
    gates = [{"gate": "approvals", "role": role, "count": 1} for role in ("reviewer", "approver")]
    both = [RoleHolders("reviewer", (alma,)), RoleHolders("approver", (alma,))]
    assert list(shortages(gates, both)) == [
        "It asks for 1 reviewer and 1 approver, and only 1 person holds these roles here, each "
        "deciding once: no release could be approved, so it cannot be published."
    ]
    assert list(shortages(gates, [both[0], RoleHolders("approver", (alma, rex))])) == []
    more = RoleHolders("approver", (alma,), is_cut=True)
    assert list(shortages(gates, [both[0], more])) == []


def test_a_row_of_the_list_counts() -> None:
    place = cast("Any", None)
    row = PolicyRow(place, None, ["Scanned"], 2, frozen=False, readable=True)
    assert (row.gate_count, row.draft_count, row.passes_nothing) == ("1 gate", "2 drafts", True)
    hidden = PolicyRow(place, None, [], 0, frozen=False, readable=False)
    assert (hidden.gate_count, hidden.draft_count, hidden.passes_nothing) == ("", "", False)
