"""What the page of an environment's policies says of drafts, its history and trials."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from apps.console.queries.passkeys import Signing
from apps.console.queries.policies import PolicyRow
from apps.console.queries.policy_changes import PolicyChanges, published
from apps.console.queries.policy_page import Draft
from apps.console.queries.policy_revision import PastPolicy
from apps.console.queries.policy_trial import PolicyTrial, Trial, no_publisher, shortages
from apps.governance.actions.policies import Published
from apps.governance.gates import GATES
from apps.governance.queries.deciders import RoleHolders
from apps.governance.queries.people import NamedPerson

PASSKEY = Signing([cast("Any", None)], "/api/v1/x", "passkey")
NO_PASSKEY = Signing([], "/api/v1/x", "passkey")


def revision(number: int, source: str = "", gates: Sequence[dict[str, Any]] = ()) -> Any:
    """Return a revision of a policy; it means something else where its ``source`` is another."""
    document = {"gates": gates or [{"gate": "build"}]}
    return SimpleNamespace(number=number, source=source, document=document, digest=source.strip())


def draft(signing: Signing | None = None, *, own: bool = False, publishes: bool = True) -> Draft:
    """Return a draft for a reader who may draft, and perhaps publish."""
    may = {"may_publish": publishes, "may_draft": True}
    return Draft(
        revision(3),
        "Ada",
        "/x",
        signing,
        is_own=own,
        others="",
        **may,
        current=revision(2),
        environment="staging",
    )


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (draft(), ["Withdraw", "Publish"]),
        (draft(PASSKEY), ["Withdraw", "Publish with your passkey"]),
        (draft(NO_PASSKEY), ["Withdraw"]),
        (draft(own=True), ["Withdraw"]),
        (draft(PASSKEY, own=True), ["Withdraw"]),
        (draft(publishes=False), ["Withdraw"]),
    ],
)
def test_another_publishes_a_draft_as_the_policy_demands(found: Draft, asked: list[str]) -> None:
    assert [question.submit for question in found.questions] == asked
    assert found.lacks_passkey == (found.signing is NO_PASSKEY)
    assert (found.title, found.may_decide) == ("Draft r3", True)


def test_who_decides_a_draft_is_told_what_that_brings_about() -> None:
    withdrawing, publishing = draft().questions
    assert publishing.title == "Publish policy draft r3?"
    assert publishing.says == (
        "It is in force at once for every new release request to staging. Where nobody could "
        "satisfy it as people stand now, publishing is refused. r2 is superseded. "
        "Releases that have not started move to it: decisions on them no longer count, people "
        "have to decide again, and emergency releases of them end. What is live stays live."
    )
    assert withdrawing.title == "Withdraw policy draft r3?"
    assert withdrawing.says == "Nobody can publish it any more. r2 stays in force."
    first = replace(publishing, current=None), replace(withdrawing, current=None)
    assert "superseded" not in first[0].says
    assert first[1].says.endswith("No policy is in force still.")


def test_a_draft_is_compared_with_the_policy_in_force() -> None:
    two, nine = ({"gate": "approvals", "role": "approver", "count": count} for count in (2, 9))
    found = PolicyChanges(
        revision(2, "a\nb", [two]), revision(3, "a\nc", [{"gate": "build"}, nine])
    )
    assert found.title == "Changes to the active policy r2"
    assert [(sign, title) for _, sign, title in found.gates] == [
        ("−", "Two approvers"),
        ("+", GATES["build"].title({"gate": "build"})),
        ("+", "9 approvers"),
    ]
    assert [line for kind, line in found.lines if kind][2:] == ["-b", "+c"]
    assert found.nothing == ""


def test_a_draft_that_changes_nothing_says_so() -> None:
    same = PolicyChanges(revision(2, "a"), revision(3, "a"))
    assert (same.nothing, same.gates, same.lines) == (
        "It asks for just what the active policy asks for.",
        [],
        [],
    )
    spelled = PolicyChanges(revision(2, "a"), revision(3, "a\n\n"))
    assert spelled.nothing.endswith(" Only its text differs.")


def test_a_gate_that_changes_what_its_title_does_not_say_is_named_with_what_changed() -> None:
    strict = {"gate": "build", "isolation": "bwrap", "smoke_test": "equal"}
    lax = {"gate": "build", "isolation": "any", "smoke_test": "starts"}
    said = [{"gate": "expression", "that": text, "says": "Good enough"} for text in ("a", "b")]
    found = PolicyChanges(revision(2, "a", [strict, said[0]]), revision(3, "b", [lax, said[1]]))
    assert found.gates == [
        ("wait", "±", "Built and smoke-tested: isolation bwrap → any, smoke test equal → starts"),
        ("wait", "±", "Good enough: that a → b"),
    ]
    allowed = {"gate": "scan", "allow": ["code-carrying", "safe"]}
    scans = PolicyChanges(
        revision(2, "a", [allowed]), revision(3, "b", [allowed | {"allow": ["safe"]}])
    )
    assert scans.gates == [("wait", "±", "Scanned: allow code-carrying and safe → safe")]


def test_a_change_of_when_requests_expire_is_told() -> None:
    before, after = revision(2, "a"), revision(3, "b")
    before.document["expires_after_days"], after.document["expires_after_days"] = 14, 1
    said = "A request expires after 1 day, and did after 14 days"
    assert PolicyChanges(before, after).gates == [("wait", "±", said)]


def test_what_cannot_be_published_is_not_offered_to_be() -> None:
    short = replace(draft(PASSKEY), shortages=["It asks for 9 approvers"])
    assert [question.submit for question in short.questions] == ["Withdraw"]
    assert not replace(short, signing=NO_PASSKEY).lacks_passkey
    assert draft(own=True).waits_for_others
    assert not replace(draft(own=True), shortages=["It asks for 9 approvers"]).waits_for_others


def past(state: str, **members: Any) -> PastPolicy:
    """Return a revision that Ada drafted."""
    plain = {"drafted_by": "per_1", "published_by": "", "withdrawn": None, "next": None}
    row = SimpleNamespace(state=state, **(plain | members))
    return PastPolicy(row, {"per_1": "Ada", "per_2": "Rex"})


def test_history_says_who_wrote_who_published_and_who_withdrew() -> None:
    at = "2026-05-01T10:00:00.000000Z"
    later = {"number": 3, "at": at}
    published = past("published", published_by="per_2", next=later)
    assert published.people == "drafted by Ada, published by Rex"
    assert (published.state, published.ended_by) == ("superseded", "r3")
    assert published.ended_at == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert past("published", published_by="per_2").state == "active"
    written = past("draft", next=later)
    assert (written.people, written.state) == ("drafted by Ada", "draft")
    assert (written.ended_at, written.ended_by, written.withdrawn_at) == (None, "", None)
    withdrawn = past("withdrawn", withdrawn={"by": "per_2", "at": at})
    assert withdrawn.people == "drafted by Ada, withdrawn by Rex"
    assert withdrawn.withdrawn_at == datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_a_revision_beside_another_is_not_called_a_draft() -> None:
    old, new = revision(2, "a: 1", [{"gate": "build"}]), revision(3, "b: 1")
    changes = PolicyChanges(old, new, "Changes since")
    assert (changes.title, changes.nothing) == ("Changes since", "")
    assert [line for _, line in changes.lines][:2] == ["--- r2", "+++ r3"]
    same = PolicyChanges(old, revision(3, "a: 1"), "Changes since")
    assert same.nothing == "r3 asks for just what r2 asks for."


def trial(state: str, decisions: int = 0, stands: str = "requested") -> Trial:
    """Return a release that a policy was tried on, one of whose gates is in ``state``."""
    built = {"title": "Built", "passed": True, "state": "passed"}
    fresh = {"title": "Fresh", "passed": state == "passed", "state": state}
    release = SimpleNamespace(state=stands)
    row = SimpleNamespace(before=(built,), results=(built, fresh), release=release)
    row.decisions = decisions
    return Trial(cast("Any", row))


def test_who_may_publish_and_whose_decisions_were_recalled_is_told_why_not() -> None:
    barred = replace(draft(PASSKEY), is_recalled=True)
    assert [question.submit for question in barred.questions] == ["Withdraw"]
    assert barred.recalled.startswith("Your decisions were recalled")
    assert replace(barred, may_publish=False).recalled == draft().recalled == ""


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        ((0, 0), "Policy r3 is active."),
        ((1, 0), "Policy r3 is active. 1 release moved to it."),
        (
            (1, 2),
            "Policy r3 is active. 1 release moved to it; 2 decisions no longer count, so people "
            "decide again.",
        ),
    ],
)
def test_who_published_is_told_what_moved(moved: tuple[int, int], said: str) -> None:
    row = cast("Any", SimpleNamespace(number=3))
    assert published(Published(row, *moved)) == said


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
        "deciding once (Alma): no release could be approved, so it cannot be published."
    ]
    assert list(shortages(gates, [both[0], RoleHolders("approver", (alma, rex))])) == []
    third = [RoleHolders("product-reviewer", (rex,)), *both]
    more_gates = [{"gate": "approvals", "role": "product-reviewer", "count": 1}, *gates]
    assert next(shortages(more_gates, third)).startswith("It asks for 1 reviewer and 1 approver, ")
    more = RoleHolders("approver", (alma,), is_cut=True)
    assert list(shortages(gates, [both[0], more])) == []


def test_a_draft_that_nobody_but_its_author_could_publish_says_why() -> None:
    alma, rex = (NamedPerson(f"per_{name}", name, ()) for name in ("Alma", "Rex"))
    gone = replace(rex, is_recalled=True, needs="decisions recalled")

    def said(*people: NamedPerson, author: str = "per_Alma", is_cut: bool = False) -> str:
        held = [RoleHolders("reviewer", (rex,)), RoleHolders("approver", people, is_cut=is_cut)]
        return "".join(no_publisher(author, held))

    assert "and only Alma, who wrote it, holds it here: an access administrator" in said(alma)
    assert "and nobody has it here: " in said()
    both = "and nobody else who holds that role here can decide (Alma, Rex (decisions recalled)): "
    assert both in said(alma, gone)
    assert said(alma, rex) == said(alma, author="per_Rex") == said(alma, author="") == ""
    assert said(alma, is_cut=True) == "".join(no_publisher("per_Alma", [])) == ""


def test_a_row_of_the_list_counts() -> None:
    place = cast("Any", None)
    row = PolicyRow(place, None, ["Scanned"], 2, frozen=False, readable=True)
    assert (row.gate_count, row.draft_count, row.passes_nothing) == ("1 gate", "2 drafts", True)
    hidden = PolicyRow(place, None, [], 0, frozen=False, readable=False)
    assert (hidden.gate_count, hidden.draft_count, hidden.passes_nothing) == ("", "", False)
