"""What the log is asked for is found by an index, however far back it lies."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.audit.actions import record
from apps.audit.queries import EventFilter, events_visible, newest
from apps.governance.events import FREEZE_LIFTED, FREEZE_SET
from apps.identity.events import PROJECT_UPDATED
from placet.kernel.actor import SYSTEM, Actor
from tests.support.database import owning_tables
from tests.support.factories import actor_of, person, project

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
    with owning_tables(), connection.cursor() as cursor:  # nobody else may: it would do nothing
        cursor.execute("ANALYZE audit_event")
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
