"""What the home page says first, and what it advises where nothing serves yet."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from apps.console.queries.home_page import HomePage, PausedRow, StuckRow
from apps.governance.queries.standstill import Stuck


def page(
    *can: str, needed: int = 0, grants: Any = (1,), withheld: Any = (), **members: Any
) -> HomePage:
    """Return the home page of somebody who may do these things somewhere."""
    holds = set(can).__contains__
    actor: Any = SimpleNamespace(can=holds, can_somewhere=holds, withheld=withheld, grants=grants)
    inbox: Any = SimpleNamespace(needed=[None] * needed)
    usual: dict[str, Any] = {
        "alerts": (),
        "rows": [],
        "more": "",
        "startable": [],
        "requests": [],
        "paused": [],
        "drafts": [],
        "mentions": [],
        "changes": [],
        "holding": [],
        "glasses": [],
        "stuck": [],
        "stuck_drafts": [],
        "knows_project": False,
    }
    return HomePage(actor, inbox, **usual | members)


def held(*, waits: bool = True, is_asked: bool = False) -> PausedRow:
    """Return a rollout that goes no further, or where a second person is asked."""
    return PausedRow(SimpleNamespace(waits_for_person=waits), is_asked)


@pytest.mark.parametrize(
    ("needed", "startable", "paused", "said"),
    [
        (0, 0, 0, "you're all caught up"),
        (2, 0, 0, "2 releases wait for your decision"),
        (0, 1, 0, "1 approved release waits to be rolled out"),
        (0, 2, 0, "2 approved releases wait to be rolled out"),
        (0, 0, 1, "1 rollout waits for a person to go on"),
        (0, 0, 3, "3 rollouts wait for a person to go on"),
    ],
)
def test_what_waits_is_said_first(needed: int, startable: int, paused: int, said: str) -> None:
    found = page(needed=needed, startable=[None] * startable, paused=[held()] * paused)
    assert found.lead == said


def test_a_rollout_that_goes_on_by_itself_is_not_said_to_wait_for_a_person() -> None:
    asked, stands = held(waits=False, is_asked=True), held(is_asked=True)
    assert page(paused=[asked]).lead == "1 rollout request waits for a second person"
    assert page(paused=[asked]).paused_title == "Waits for a second person"
    assert page(paused=[stands]).paused_title == "Waits for a person to go on"
    both = page(paused=[stands, asked, asked])
    assert both.lead == (
        "1 rollout waits for a person to go on and 2 rollout requests wait for a second person"
    )
    assert both.paused_title == "Waits for a person to go on or for a second one"


def test_changes_that_were_requested_wait_too() -> None:
    assert page(changes=[None]).lead == "1 release waits for changes of yours"
    held_by = "2 releases wait for you, who requested changes, to decide again"
    assert page(holding=[None] * 2).lead == held_by


def test_a_policy_draft_to_publish_waits_too() -> None:
    assert page(drafts=[None]).lead == "1 policy draft waits to be published or withdrawn"


def test_everything_that_waits_is_said_in_one_sentence() -> None:
    assert page(needed=1, drafts=[None] * 3).lead == (
        "1 release waits for your decision and 3 policy drafts wait to be published or withdrawn"
    )
    assert page(needed=2, startable=[None], paused=[held()], drafts=[None]).lead == (
        "2 releases wait for your decision, 1 approved release waits to be rolled out, 1 rollout "
        "waits for a person to go on and 1 policy draft waits to be published or withdrawn"
    )


def test_who_has_no_role_is_told_first_whom_to_ask() -> None:
    found = page(grants=())
    assert found.lead == "you have no project role yet: ask an access administrator for one"
    assert found.advice == "What is live in your projects shows here, once you have a role."


def test_whose_only_role_is_withheld_is_told_why_and_where_to_set_up_a_second_factor() -> None:
    found = page(grants=(), withheld=("reviewer",))
    why = "our role reviewer is withheld until you have set up a second factor, under Passkeys and "
    assert found.lead == f"y{why}second factor"
    assert found.advice == f"Y{why}second factor."
    assert found.first is not None and found.first.href == reverse("mfa_index")


@pytest.mark.parametrize(
    ("alerts", "needed", "said"),
    [
        ("a", 0, "1 open alert"),
        ("aa", 0, "2 open alerts"),
        ("ab", 0, "2 open alerts in all projects"),
        ("aa", 1, "2 open alerts and 1 release waits for your decision"),
    ],
)
def test_open_alerts_are_said_before_what_waits(alerts: str, needed: int, said: str) -> None:
    rows = [SimpleNamespace(alert=SimpleNamespace(project_id=project)) for project in alerts]
    assert page(needed=needed, alerts=rows).lead == said


def test_what_nobody_can_approve_is_said_to_who_sees_access() -> None:
    rows = [StuckRow(Stuck(None, count, ("approver",))) for count in (1, 2)]  # type: ignore[arg-type]
    assert page(stuck=rows[:1]).lead == "1 release waits that nobody can approve"
    assert page(stuck=rows, needed=1).lead == (
        "1 release waits for your decision and 3 releases wait that nobody can approve"
    )


@pytest.mark.parametrize(
    ("releases", "roles", "some_could", "failed", "said"),
    [
        (
            1,
            ("approver",),
            False,
            0,
            "1 release waits for an approval as approver, and nobody is left who could give it.",
        ),
        (
            2,
            ("approver", "reviewer"),
            True,
            0,
            "2 releases wait for approvals as approver and reviewer, and too few people are left, "
            "each of whom decides once.",
        ),
        (
            1,
            ("approver",),
            False,
            1,
            "1 release waits for an approval as approver, and nobody is left who could give it. A "
            "gate has failed too: unless it passes, an approval does not help.",
        ),
        (
            3,
            ("approver",),
            False,
            2,
            "3 releases wait for an approval as approver, and nobody is left who could give it. A "
            "gate of 2 of them has failed too: unless it passes, no approval helps there.",
        ),
    ],
)
def test_what_an_approval_would_not_help_is_said_too(
    releases: int, roles: tuple[str, ...], some_could: bool, failed: int, said: str
) -> None:
    place: Any = None
    stuck = Stuck(place, releases, roles, some_could=some_could, failed=failed)
    assert StuckRow(stuck).sentence == said


@pytest.mark.parametrize(
    ("roles", "is_giver", "said"),
    [
        (("approver",), False, "An access administrator can give this role to others."),
        (("approver", "reviewer"), False, "An access administrator can give these roles to"),
        (("approver",), True, "You can give this role to others, and nobody to themselves."),
    ],
)
def test_who_gives_what_nobody_can_approve_as_is_said(
    roles: tuple[str, ...], is_giver: bool, said: str
) -> None:
    place: Any = None
    assert StuckRow(Stuck(place, 1, roles), is_giver=is_giver).remedy.startswith(said)


@pytest.mark.parametrize(
    ("can", "projects", "advice", "first"),
    [
        (("project.view",), 0, "There is no project yet: an access administrator makes one", ""),
        ((), 0, "No project that you may see: an access administrator can give you a role", ""),
        (("project.create", "access.manage"), 0, "Make a project", "Projects"),
        (("model.create", "access.manage"), 1, "Register a model", "Models"),
        (("endpoint.view",), 1, "What is live in your projects", ""),
        (("access.manage",), 1, "You look after people and access", "Administration"),
    ],
)
def test_an_empty_page_says_what_to_do(
    can: tuple[str, ...], projects: int, advice: str, first: str
) -> None:
    found = page(*can, knows_project=bool(projects))
    assert found.advice.startswith(advice)
    assert (found.first.text if found.first else "").split(" ")[0] == first


@pytest.mark.parametrize(
    ("paused_by", "ships", "stopped", "said"),
    [
        ("", False, False, "Risk, release 3"),
        ("per_1", False, False, "Risk, release 3, held"),
        ("", True, False, "Risk, release 3, to be shipped"),
        ("per_1", False, True, "Risk, release 3, held, behind a stopped endpoint"),
    ],
)
def test_a_rollout_says_why_it_goes_no_further_and_what_it_gets(
    paused_by: str, ships: bool, stopped: bool, said: str
) -> None:
    rollout: Any = SimpleNamespace(
        project=SimpleNamespace(name="Risk"),
        release=SimpleNamespace(number=3),
        endpoint=SimpleNamespace(is_stopped=stopped),
        to_revision=SimpleNamespace(weight=1000),
        paused_by=paused_by,
        waits_to_ship=ships,
        waits_for_person=True,
        stands_since="then",
        asked_at="later",
    )
    row, asked = PausedRow(rollout), PausedRow(rollout, is_asked=True)
    assert (row.what, row.traffic, row.since) == (said, 0 if stopped else 1000, "then")
    assert "a second person is asked" in asked.what and asked.since == "later"


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "1 discussion to read that mentions you"), (2, "2 discussions to read that mention you")],
)
def test_discussions_that_mention_the_reader_are_counted(count: int, said: str) -> None:
    assert said in page(mentions=[None] * count).lead
