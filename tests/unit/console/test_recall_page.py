"""What is said of a recall, of what it reached, and of what it would reach."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from apps.console.queries.recall_form import ImpactRow, RecallForm
from apps.console.queries.recalls import EffectRow, RecallListPage, RecallPage, RecallRow
from placet_verify.statements import RecalledNames

NOBODY = cast("Any", None)


def recall(**members: Any) -> Any:
    """Return a recall with its counts."""
    plain = {
        "contradicted": 0,
        "open_count": 0,
        "ran": 2,
        "reached": 3,
        "confirmed": 1,
        "kind": "version",
        "project": None,
        "state": "standing",
        "names": {},
        "get_kind_display": lambda: "Version",
    }
    return SimpleNamespace(**(plain | members))


def shown(row: Any, title: str = "") -> RecallPage:
    """Return the page of a recall."""
    return RecallPage(
        outcome="",
        recall=row,
        title=title,
        effects=[],
        more=0,
        receipts=[],
        reason="",
        lift_reason="",
        names={},
        may_lift=False,
        may_export=False,
    )


@pytest.mark.parametrize(
    ("counts", "state", "alarm", "said"),
    [
        ({"contradicted": 1, "open_count": 2}, "contradicted", "contradicted", "2 are open"),
        ({"open_count": 1}, "open", "open", "1 is open"),
        ({}, "confirmed", "", ""),
        ({"ran": 0}, "", "", ""),
    ],
)
def test_what_is_not_confirmed_comes_first(
    counts: dict[str, int], state: str, alarm: str, said: str
) -> None:
    found = shown(recall(**counts))
    assert (found.state, found.unconfirmed) == (state, said)
    assert RecallRow(found.recall, "Ada").alarm == alarm


def test_what_was_recalled_is_named_and_people_are_not_in_the_heading() -> None:
    version = shown(recall(), "churn:1")
    assert (version.heading, version.name) == ("Version churn:1", "churn:1")
    assert (shown(recall()).heading, shown(recall()).name) == ("Version", "Version")
    person = shown(recall(kind="person", get_kind_display=lambda: "Person"), "Ada")
    assert (person.heading, person.name, person.where) == ("Person", "Ada", "All projects")
    assert shown(recall(project=SimpleNamespace(name="Risk"))).where == "Risk"


def test_a_list_says_which_it_has() -> None:
    assert RecallListPage([], "").title == "All recalls"
    assert (RecallListPage([], "lifted").title, RecallListPage([], "lifted").none) == (
        "Withdrawn",
        "No matches",
    )
    assert RecallListPage([], "").none == "No recalls"
    assert RecallRow(recall(), "Ada").confirmed == "1 of 2"
    assert RecallRow(recall(ran=0), "Ada").confirmed == ""


@pytest.mark.parametrize(
    ("effect", "alive", "joined", "said"),
    [
        ({"action": "stopped", "state": "open"}, True, True, ("Revoked, endpoint stopped", "", "")),
        (
            {"action": "ended", "state": "open"},
            False,
            True,
            ("Revoked, ended", "node is offline", ""),
        ),
        (
            {"action": "fell_back", "state": "open"},
            False,
            False,
            ("Revoked, endpoint fell back", "no node", ""),
        ),
        (
            {"action": "revoked", "state": "never_ran"},
            False,
            False,
            ("Revoked (was not running)", "", ""),
        ),
    ],
)
def test_an_effect_says_what_was_done_and_why_it_is_open(
    effect: dict[str, str], alive: bool, joined: bool, said: tuple[str, str, str]
) -> None:
    release = SimpleNamespace(state="revoked")
    found: Any = SimpleNamespace(
        **effect,
        release=release,
        confirmed_at="then",
        recall_id="rcl_1",
        revoking={"id": "rcl_1"},
        along=None,
        back=None,
        was_stopped=False,
    )
    row = EffectRow(found, alive, joined, NOBODY)
    assert row.earlier is None
    assert (row.done, row.silence, row.objection) == said
    assert (row.confirmed_at, row.ran) == (None, effect["action"] != "revoked")


@pytest.mark.parametrize(
    ("action", "state", "said", "runs"),
    [
        ("fell_back", "live", "roll back to revision 4", True),
        ("stopped", "live", "stop the endpoint", True),
        ("ended", "rolling_out", "revoke, end its rollout", True),
        ("revoked", "approved", "revoke", False),
        ("revoked", "revoked", "already revoked", False),
        ("revoked", "rolled_back", "already rolled back", False),
    ],
)
def test_a_place_says_what_would_become_of_it(
    action: str, state: str, said: str, runs: bool
) -> None:
    back = SimpleNamespace(number=4) if action == "fell_back" else None
    release = SimpleNamespace(state=state, endpoint=SimpleNamespace(is_stopped=False))
    impact = SimpleNamespace(
        action=action, release=release, fallback=back, revoking=None, along=None, serving=None
    )
    row = ImpactRow(cast("Any", impact), NOBODY)
    assert (row.would, row.runs, row.stops) == (said, runs, action == "stopped")
    assert (row.is_over, row.earlier) == (said.startswith("already"), None)


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ((0, 0), "They answered no request in the last hour."),
        ((32, 0), "They answered 32 requests in the last hour."),
    ],
)
def test_a_preview_says_what_would_be_missed(requests: tuple[int, ...], said: str) -> None:
    rows = tuple(ImpactRow(cast("Any", None), NOBODY, many) for many in requests)
    assert RecallForm([], [], [], None, rows).traffic == said


def test_a_recalled_version_is_linked_by_its_name() -> None:
    item = {"project": "risk", "model": "churn", "number": 3}
    link = RecallRow(recall(item=item), "Ada").item
    assert link is not None
    assert (link.text, link.url) == ("churn:3", "/models/risk/churn/3/")
    assert RecallRow(recall(item=None), "Ada").item is None


@pytest.mark.parametrize(
    ("kind", "reached", "said"),
    [
        (
            "version",
            1,
            "It can be released again, unless another recall covers it. Nothing restarts: the "
            "1 release it reached stays ended, on nodes too. To run it again, request a new "
            "release.",
        ),
        (
            "wheel",
            0,
            "It can be released again, unless another recall covers it. No release was ended by "
            "this one.",
        ),
        (
            "person",
            2,
            "This person can decide again; decisions that the recall voided stay void. Nothing "
            "restarts: the 2 releases it reached stay ended, on nodes too. To run one again, "
            "request a new release.",
        ),
    ],
)
def test_who_withdraws_a_recall_is_told_what_becomes_of_which_releases(
    kind: str, reached: int, said: str
) -> None:
    found = shown(recall(kind=kind, reached=reached))
    assert found.lift_says == said
    lifted = shown(recall(kind=kind, reached=reached, state="lifted"))
    assert lifted.meaning == f"Withdrawn. {said}"


@pytest.mark.parametrize(
    ("kind", "project", "said"),
    [
        (
            "person",
            None,
            "Until it is withdrawn, this person's decisions don't count, and they can "
            "approve, reject, publish and co-sign nothing. Who has the role approver for all "
            "projects can withdraw the recall, but not the person who recalled it, nor the person "
            "whose decisions it takes back.",
        ),
        (
            "version",
            SimpleNamespace(name="Risk"),
            "Until it is withdrawn, it can't be released. Who has the role approver in all of Risk "
            "can withdraw the recall, but not the person who recalled it.",
        ),
    ],
)
def test_a_recall_says_what_it_bars_and_who_really_withdraws_it(
    kind: str, project: Any, said: str
) -> None:
    assert shown(recall(kind=kind, project=project)).meaning == said


def test_what_reached_nothing_says_what_it_brings_about_all_the_same() -> None:
    """It is about a person as well, and over once it is withdrawn."""
    person = {"kind": "person", "reached": 0, "names": RecalledNames(people=("per_1",)).to_dict()}
    stands, lifted = shown(recall(**person)), shown(recall(**person, state="lifted"))
    assert stands.none_reached == (
        "No releases affected. This person's decisions don't count, and they can approve, reject, "
        "publish and co-sign nothing while the recall stands."
    )
    assert lifted.none_reached == "No releases affected."
    assert stands.kept == "Nodes keep the signed recall permanently."
    nothing = shown(recall(reached=0, names=RecalledNames().to_dict()))
    assert (nothing.kept, nothing.none_reached) == (
        "",
        "No releases affected. It can't be released while the recall stands.",
    )
    reached = "Nodes keep the signed recall permanently and will never run these releases again."
    assert shown(recall()).kept == reached


def test_a_withdrawn_recall_is_not_titled_as_though_it_stood() -> None:
    stands, lifted = shown(recall(), "churn:1"), shown(recall(state="lifted"), "churn:1")
    assert (stands.standing, stands.tab) == ("recalled", "Recall of churn:1")
    assert (lifted.standing, lifted.tab) == ("recall withdrawn", "Withdrawn recall of churn:1")
    assert "this person's decisions don't count" in shown(recall(kind="person")).meaning
