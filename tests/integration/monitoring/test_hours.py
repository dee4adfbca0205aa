"""Windows are added up to hours: weeks read as they would from each window, whoever comes late."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F

from apps.monitoring.actions import add_up_hours, forget_old, hours
from apps.monitoring.actions.hours import hold_hours
from apps.monitoring.actions.windows import ingest
from apps.monitoring.models import MetricHour, MetricWindow
from apps.monitoring.queries import Span, requests_at, seen_in, traffic
from apps.serving.models import Node, Revision
from placet.kernel.clock import now
from tests.support.plans import rows_read
from tests.support.story import Story

HOUR = timedelta(hours=1)


@pytest.fixture
def revision(story: Story) -> Revision:
    """A live revision, whose node counts requests."""
    return story.live().endpoint.revisions.get()


def this_hour() -> datetime:
    return now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def window(at: datetime, **more: Any) -> dict[str, Any]:
    """Return a window as a node reports it."""
    return {
        "started_at": at.isoformat(),
        "seconds": 10,
        "status_2xx": 9,
        "status_4xx": 1,
        "status_5xx": 0,
        "latency": {"5": 4, "10": 6},
        **more,
    }


def report(revision: Revision, *windows: dict[str, Any]) -> int:
    """Have the revision's node report windows."""
    node = Node.objects.get(target=revision.endpoint.target)
    return ingest(node.pk, [one | {"revision": revision.pk} for one in windows])


def read(revision: Revision, days: int = 30) -> tuple[Any, Any]:
    """Return the traffic of so many days: by the hours, and by windows alone."""
    end, begin = this_hour() + HOUR, this_hour() - timedelta(days=days) + HOUR
    by_hours = traffic([revision.pk], begin, end, 3600)
    kept = MetricHour.objects.all()
    with transaction.atomic():
        kept.delete()
        by_windows = traffic([revision.pk], begin, end, 3600)
        transaction.set_rollback(True)
    return by_hours, by_windows


@pytest.mark.django_db(transaction=True)
def test_weeks_read_the_same_by_hours_and_by_windows(revision: Revision) -> None:
    without = {"status_2xx": 3, "status_4xx": 0, "status_5xx": 0, "latency": {"5": 3}}
    apart = {"no_unit": without, "mirrored": without}
    start = this_hour()
    report(revision, *(window(start - number * HOUR / 2) for number in range(20)))
    report(revision, window(start - 5 * HOUR + HOUR / 3, apart=apart))
    assert add_up_hours()["hours"] in {9, 10}  # the last one is not taken for over at once
    by_hours, by_windows = read(revision)
    assert by_hours == by_windows
    assert sum(counts.requests for counts in by_hours.values()) == 20 * 10 + 10 + 3
    assert add_up_hours()["stale"] == 0


@pytest.mark.django_db(transaction=True)
def test_a_span_counts_each_window_that_began_in_it_once_by_hours_and_by_windows(
    revision: Revision,
) -> None:
    start = this_hour()
    without = {"status_2xx": 3, "status_4xx": 0, "status_5xx": 0, "latency": {"5": 3}}
    report(revision, *(window(start - number * HOUR / 4) for number in range(40)))
    report(revision, window(start - 5 * HOUR + HOUR / 3, apart={"no_unit": without}))
    long = Span(revision.pk, start - 7.5 * HOUR, start + HOUR)  # from within an hour on
    short = Span(revision.pk, start - 9 * HOUR, start - 8.5 * HOUR)  # no hour lies in it
    nothing = Span("rev_other", start - 9 * HOUR, start)
    spans = [long, short, nothing]
    by_windows = seen_in(spans)
    assert [one.requests for one in by_windows] == [32 * 10 + 3, 2 * 10, 0]
    assert add_up_hours()["hours"]
    MetricWindow.objects.filter(
        started_at__gte=start - 6 * HOUR, started_at__lt=start - HOUR
    ).delete()
    assert seen_in(spans) == by_windows
    assert seen_in([]) == []


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_counts_what_each_of_its_revisions_answered(
    revision: Revision, story: Story
) -> None:
    """Within one minute too: both answered while a rollout split them."""
    first, endpoint = revision, revision.endpoint
    second = story.live().endpoint.revisions.exclude(pk=first.pk).get()
    assert second.endpoint_id == endpoint.pk
    at = this_hour() - HOUR
    without = {"status_2xx": 3, "status_4xx": 0, "status_5xx": 0, "latency": {"5": 3}}
    report(first, window(at), window(at + timedelta(seconds=10)))
    report(second, window(at, apart={"no_unit": without}), window(at + timedelta(minutes=2)))
    found = requests_at([endpoint.pk], at, at + HOUR, 60)
    begin = int(at.timestamp())
    assert found == {endpoint.pk: {begin: 2 * 10 + 10 + 3, begin + 120: 10}}


@pytest.mark.django_db(transaction=True)
def test_a_window_that_comes_days_late_counts_after_the_next_look(revision: Revision) -> None:
    at = this_hour() - 5 * HOUR
    report(revision, window(at), window(at + 2 * HOUR))
    add_up_hours()
    assert report(revision, window(at), window(at + HOUR / 2), window(at - 20 * HOUR)) == 2
    assert add_up_hours()["stale"] == 2
    by_hours, by_windows = read(revision)
    assert by_hours == by_windows
    assert len(by_hours) == 3
    assert not MetricHour.objects.filter(stale_since__isnull=False).exists()


@pytest.mark.django_db(transaction=True)
def test_who_sends_the_same_again_and_again_takes_no_turn_of_others(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = this_hour() - 9 * HOUR
    report(revision, *(window(at + number * HOUR) for number in range(4)))
    add_up_hours()
    assert report(revision, *(window(at + number * HOUR) for number in range(4))) == 0
    assert not MetricHour.objects.filter(stale_since__isnull=False).exists()
    monkeypatch.setattr(hours, "MOST_STALE", 1)
    report(revision, window(at + 3 * HOUR + HOUR / 2))  # the newest of all, and the first late one
    for number in range(3):
        report(revision, window(at + timedelta(seconds=10 + number)))
    assert add_up_hours()["stale"] == 1
    (left,) = MetricHour.objects.filter(stale_since__isnull=False)
    assert left.started_at == at


@pytest.mark.django_db(transaction=True)
def test_a_window_that_is_stored_while_its_hour_is_added_up_is_not_lost(revision: Revision) -> None:
    at = this_hour() - 5 * HOUR
    report(revision, window(at))
    stored, begun = threading.Event(), threading.Event()

    def store() -> None:
        begun.set()
        report(revision, window(at + HOUR / 2))
        stored.set()
        connection.close()

    thread = threading.Thread(target=store)
    with transaction.atomic():
        hold_hours(alone=True)
        thread.start()
        assert begun.wait(10)
        assert not stored.wait(0.3)
    thread.join()
    add_up_hours()
    by_hours, by_windows = read(revision)
    assert by_hours == by_windows
    assert sum(counts.requests for counts in by_hours.values()) == 20


@pytest.mark.django_db(transaction=True)
def test_a_month_is_read_from_its_hours_and_forgotten_with_its_windows(revision: Revision) -> None:
    start = this_hour() - 6 * HOUR
    for number in range(4):
        report(
            revision,
            *(window(start + number * HOUR + timedelta(seconds=10 * n)) for n in range(360)),
        )
    add_up_hours()
    with rows_read() as rows:
        traffic([revision.pk], start - HOUR, this_hour() + HOUR, 10800)
    assert rows["monitoring_metricwindow"] == 0
    assert rows["monitoring_metrichour"] < 20
    MetricWindow.objects.all().delete()
    MetricHour.objects.update(started_at=F("started_at") - timedelta(days=40))
    forget_old()
    assert not MetricHour.objects.exists()
