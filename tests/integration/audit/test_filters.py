"""What the log is asked for is found by an index, however far back it lies."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.actions import record
from apps.audit.queries import EventFilter, events_visible, newest, newest_of_project
from apps.governance.events import (
    FREEZE_LIFTED,
    FREEZE_SET,
    RELEASE_DECIDED,
    RELEASE_ROLLED_BACK,
)
from apps.identity.actions import remove_member, revoke_role
from apps.identity.events import PROJECT_UPDATED
from apps.identity.models import RoleBinding
from placet.kernel.actor import SYSTEM, Actor
from tests.support.factories import actor_of, person, project, team
from tests.support.plans import analyze, rows_read

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor() -> Actor:
    """Somebody who reads all of it."""
    return actor_of(person("Ann", {"auditor": None}))


def long_log(someone: Actor) -> str:
    """What a person did, with much behind it that the platform did; the id of its project."""
    risk = project("risk")
    with record(SYSTEM) as log:
        log.add(FREEZE_SET, risk, actor=someone)
        log.add(FREEZE_LIFTED, risk, actor=someone)
        for _ in range(2000):
            log.add(PROJECT_UPDATED, risk)
    return risk.pk


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (EventFilter(kind="freeze"), "audit_event_family"),
        (EventFilter(by_people=True), "audit_event_actor_prefix"),
        (EventFilter(subject="prj_0"), "audit_event_touched"),
    ],
    ids=["kind", "people", "subject"],
)
def test_no_page_goes_through_the_log_for_it(
    filters: EventFilter, index: str, auditor: Actor
) -> None:
    long_log(auditor)
    analyze("audit_event")
    plan = events_visible(auditor, filters).order_by("-index")[:51].explain()
    assert index in plan, plan


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("freeze", ["freeze.lifted.v1", "freeze.set.v1"]),
        ("freeze.set", ["freeze.set.v1"]),
        ("freeze.set.v1", ["freeze.set.v1"]),
        ("freeze.se", []),
        ("free", []),
        (".", []),
    ],
)
def test_a_kind_is_cut_at_a_dot(kind: str, found: list[str], auditor: Actor) -> None:
    long_log(auditor)
    events = events_visible(auditor, EventFilter(kind=kind)).order_by("kind")
    assert list(events.values_list("kind", flat=True)) == found


def test_what_people_did_is_none_of_the_platforms(auditor: Actor) -> None:
    filters = EventFilter(by_people=True, project=long_log(auditor))
    kinds = events_visible(auditor, filters).values_list("kind", flat=True)
    assert set(kinds) == {"freeze.lifted.v1", "freeze.set.v1"}


def test_what_a_person_asked_placet_to_do_counts_as_by_people(auditor: Actor) -> None:
    risk = project("risk")
    with record(SYSTEM) as log:
        log.add(RELEASE_ROLLED_BACK, risk, data={"number": 3, "asked_by": auditor.id})
        log.add(RELEASE_ROLLED_BACK, risk, data={"number": 4})
        log.add(RELEASE_ROLLED_BACK, risk, data={"number": 5, "asked_by": "svc_0"})
        for _ in range(2000):
            log.add(PROJECT_UPDATED, risk)
    analyze("audit_event")
    filters = EventFilter(by_people=True, kind="release")
    with rows_read() as read:
        found = newest(auditor, filters, 5, None)
    assert [event.data["number"] for event in found] == [3]
    assert read["audit_event"] < 40, read
    assert list(events_visible(auditor, filters).values_list("index", flat=True)) == [
        found[0].index
    ]


@pytest.mark.parametrize("each", [2, 40], ids=["about-it-mostly", "touched-mostly"])
def test_the_newest_events_of_a_busy_object_are_all_that_touch_it(
    each: int, auditor: Actor
) -> None:
    risk, other = project("risk"), project("other")
    with record(SYSTEM) as log:
        for n in range(120):
            log.add(PROJECT_UPDATED, *((other, risk) if n % each else (risk,)))
            log.add(PROJECT_UPDATED, other)
    filters = EventFilter(subject=risk.pk)
    every = events_visible(auditor, filters).order_by("-index").values_list("pk", flat=True)
    wanted, found, before = list(every), list[int](), None
    assert len(wanted) >= 120
    while page := newest(auditor, filters, 7, before):
        found += [event.index for event in page]
        before = found[-1]
    assert found == wanted


def test_a_busy_object_is_looked_for_no_further_back_than_needed(auditor: Actor) -> None:
    risk = project("risk")
    with record(SYSTEM) as log:
        for _ in range(30):
            log.add(PROJECT_UPDATED, risk)
    with CaptureQueriesContext(connection) as caught:
        page = newest(auditor, EventFilter(subject=risk.pk), 7, None)
    assert f'"index" >= {page[-1].index}' in caught[-1]["sql"]


@pytest.mark.parametrize("page", [0, 1], ids=["newest", "older"])
def test_of_a_project_whose_log_is_long_a_few_kinds_are_found_without_going_through_it(
    page: int, auditor: Actor
) -> None:
    risk = long_log(auditor)
    analyze("audit_event")
    families = ["freeze", "recall", "build", "release", "rollout"]
    before = None
    for _ in range(page):
        before = newest_of_project(risk, families, 1, None)[-1].index
    with rows_read() as read:
        found = newest_of_project(risk, families, 5, before)
    kinds = ["freeze.lifted.v1", "freeze.set.v1"][page:]
    assert [event.kind for event in found] == kinds
    assert read["audit_event"] < 40, read


@pytest.mark.parametrize(
    "asked",
    [
        {"group": "releases"},
        {"text": "froze"},
        {"actors": "nobody else"},
        {"actors": "nobody else", "text": "froze"},
    ],
    ids=str,
)
def test_of_what_may_hold_in_several_ways_the_newest_of_each_are_looked_at_and_no_more(
    asked: dict[str, str], auditor: Actor
) -> None:
    long_log(auditor)
    analyze("audit_event")
    who: dict[str, Any] = {"actors": (auditor.id, "per_0")} if "actors" in asked else {}
    filters = EventFilter(**(asked | who))  # type: ignore[arg-type]
    wanted = events_visible(auditor, filters).order_by("-index")[:3]
    with rows_read() as read:
        found = newest(auditor, filters, 3, None)
    assert [event.index for event in found] == list(wanted.values_list("index", flat=True))
    assert found
    assert read["audit_event"] < 40, read


def test_decisions_are_found_by_how_people_decided_however_far_back(auditor: Actor) -> None:
    risk = project("risk")
    with record(SYSTEM) as log:
        for verdict in ("approve", "reject", "approve"):
            log.add(RELEASE_DECIDED, risk, data={"role": "reviewer", "verdict": verdict})
        for _ in range(2000):
            log.add(PROJECT_UPDATED, risk)
    analyze("audit_event")
    counts = {"approved": 2, "APPROVED decision": 2, "rejected": 1, "decision": 3}
    for text, count in counts.items():
        with rows_read() as read:
            found = newest(auditor, EventFilter(text=text), 5, None)
        decided = [event for event in found if event.kind == "release.decided.v1"]
        assert len(decided) == count, text
        assert read["audit_event"] < 40, read
    assert newest(auditor, EventFilter(text="approved rejected"), 5, None) == []


def test_who_asked_placet_for_something_is_found_in_what_it_then_did(auditor: Actor) -> None:
    risk = project("risk")
    with record(SYSTEM) as log:
        for asker in (auditor.id, "per_0"):
            log.add(RELEASE_ROLLED_BACK, risk, data={"number": 3, "asked_by": asker})
        for _ in range(2000):
            log.add(PROJECT_UPDATED, risk)
    analyze("audit_event")
    for filters in (EventFilter(actor=auditor.id), EventFilter(actors=(auditor.id, "per_1"))):
        with rows_read() as read:
            found = newest(auditor, filters, 5, None)
        kinds = [event.kind for event in found]
        assert kinds.count("release.rolled_back.v1") == 1
        assert read["audit_event"] < 40, read


def test_a_team_is_found_in_who_came_who_left_and_which_roles_it_had(auditor: Actor) -> None:
    bob, here = person("Bob"), project("here")
    crew, other = team("Crew", bob, roles={"viewer": here}), team("Other", bob)
    remove_member(crew, person=bob, actor=SYSTEM)
    revoke_role(RoleBinding.objects.get(team=crew), actor=SYSTEM)
    long_log(auditor)
    analyze("audit_event")
    filters = EventFilter(subject=crew.pk)
    with rows_read() as read:
        found = newest(auditor, filters, 50, None)
    assert [event.kind for event in found] == [
        *("role.revoked.v1", "team.member_removed.v1"),
        *("role.granted.v1", "team.member_added.v1", "team.created.v1"),
    ]
    assert read["audit_event"] < 60, read
    assert [event.index for event in found] == list(
        events_visible(auditor, filters).order_by("-index").values_list("index", flat=True)
    )
    assert other.pk not in {one for event in found for one in event.data.values()}


def test_a_person_is_found_in_the_teams_and_roles_that_they_were_given(auditor: Actor) -> None:
    bob = person("Bob", {"viewer": project("risk")})
    team("Crew", bob)
    kinds = {event.kind for event in newest(auditor, EventFilter(subject=bob.pk), 50, None)}
    assert kinds >= {"role.granted.v1", "team.member_added.v1", "person.created.v1"}


def test_no_other_kind_says_who_asked_because_no_index_would_find_it(auditor: Actor) -> None:
    with pytest.raises(ValueError, match="needs an index"), record(SYSTEM) as log:
        log.add(FREEZE_SET, project("risk"), data={"asked_by": auditor.id})
