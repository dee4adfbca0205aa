"""An alert about an SLO says what is measured now beside what was agreed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.governance.models import Release
from apps.monitoring.actions import acknowledge, set_objective
from apps.monitoring.models import Alert, MetricWindow
from apps.monitoring.reconciler import watch_endpoints
from apps.monitoring.rules import ObjectiveTerms
from apps.serving.actions import stop_endpoint
from apps.serving.models import Revision
from placet.kernel.clock import now, rfc3339
from tests.support.factories import browser
from tests.support.page_text import text_of
from tests.support.story import Story

pytestmark = pytest.mark.django_db
TERMS = ObjectiveTerms(availability=0.99, latency_ms=100, min_requests=10, window_minutes=5)


def page(story: Story, path: str) -> str:
    """Return what a page says to an operator, on one line."""
    answer = browser(story.people["Otto"]).get(path)
    assert answer.status_code == 200, answer.content
    return " | ".join(text_of(answer.content.decode()).splitlines())


def answers(story: Story, release: Release, good: int, bad: int, *, slowest: str = "5") -> None:
    """Have the node say what the release answered in the last minute, all within some ms."""
    window = {
        "revision": Revision.objects.get(release=release.pk).pk,
        "started_at": rfc3339(now() - timedelta(seconds=60)),
        "seconds": 10.0,
        "status_2xx": good,
        "status_5xx": bad,
        "latency": {slowest: good + bad},
    }
    story.node.report(metrics=[window])
    story.run_jobs("control")


@pytest.fixture
def breached(story: Story, first_release: Release) -> Release:
    """A live release of which every third answer fails, which an alert says."""
    set_objective(first_release.endpoint, terms=TERMS, actor=story.otto)
    earlier = now() - timedelta(hours=1)
    Revision.objects.filter(release=first_release.pk).update(live_at=earlier)
    answers(story, first_release, 200, 100)
    watch_endpoints()
    assert Alert.objects.get().kind == "objective"
    return first_release


def test_the_figures_are_those_of_now_and_not_of_when_it_was_opened(
    story: Story, breached: Release
) -> None:
    agreed = "without server error (at least 99% agreed)"
    took = "p99 ≤ (span) (at most (span) agreed), 300 requests in (span)."
    for path in ("/alerts/", f"/endpoints/{breached.endpoint_id}/"):
        assert f"Now: 66.67% {agreed}, {took}" in page(story, path), path
    answers(story, breached, 300, 0)
    assert f"Now: 83.33% {agreed}" in page(story, "/alerts/")


def test_where_nothing_is_measured_that_is_said_and_what_is_agreed(
    story: Story, breached: Release
) -> None:
    MetricWindow.objects.all().delete()
    agreed = "(at least 99% without server error, p99 at most (span) agreed)."
    opened = "When it opened: churn:1: 66.666% of 300 requests in (span)"
    endpoint = f"/endpoints/{breached.endpoint_id}/"
    for path in ("/alerts/", endpoint):
        said = page(story, path)
        assert f"Now: no requests in the last (span) {agreed}" in said and opened in said
    for path in (endpoint, f"{endpoint}settings/"):
        assert "? No requests" in page(story, path) and "? Unknown" not in page(story, path)


def test_of_too_few_requests_it_is_said_that_nothing_is_judged(
    story: Story, breached: Release
) -> None:
    MetricWindow.objects.all().delete()
    answers(story, breached, 2, 1)
    said = page(story, "/alerts/")
    assert "p99 – (at most (span) agreed), 3 requests in (span), too few to judge." in said
    said = page(story, f"/endpoints/{breached.endpoint_id}/")
    assert "? Too few requests" in said
    assert "– p50, p95, p99: shown from 20 requests" in said


def test_what_so_few_requests_are_judged_by_is_shown_and_so_is_why_it_was_over(
    story: Story, first_release: Release
) -> None:
    terms = replace(TERMS, latency_ms=100, availability=None, min_requests=1)
    set_objective(first_release.endpoint, terms=terms, actor=story.otto)
    Revision.objects.filter(release=first_release.pk).update(live_at=now() - timedelta(hours=1))
    answers(story, first_release, 4, 0, slowest="250")
    watch_endpoints()
    settings = f"/endpoints/{first_release.endpoint_id}/settings/"
    assert "p99 ≤ (span) (at most (span) agreed), 4 requests in (span)." in page(story, "/alerts/")
    said = page(story, settings)
    assert "▲ Not met" in said and "Judged | from 1 request" in said
    assert "p99 | ≤ (span) , at most (span)" in said
    MetricWindow.objects.all().delete()
    answers(story, first_release, 1, 0)
    watch_endpoints()
    assert "✓ Met" in page(story, settings)
    over = "Resolved with only 1 request left to measure in the last (span)."
    assert Alert.objects.get().state == "resolved" and over in page(story, "/alerts/")


def test_what_is_stopped_is_not_judged(story: Story, breached: Release) -> None:
    answers(story, breached, 200, 100)
    stop_endpoint(breached.endpoint, actor=story.otto)
    assert "Now:" not in page(story, "/alerts/")
    assert "Now:" not in page(story, f"/endpoints/{breached.endpoint_id}/")


def test_who_took_it_on_and_who_ended_it_stand_there_with_when(
    story: Story, breached: Release
) -> None:
    acknowledge(Alert.objects.get(), actor=story.otto)
    assert "acknowledged by Otto risk (ago)" in page(story, "/alerts/")
    Alert.objects.update(state="resolved", resolved_at=now(), resolved_by=story.otto.id)
    assert "resolved by Otto risk (ago)" in page(story, "/alerts/")
    Alert.objects.update(resolved_by="system")
    assert "resolved (ago)" in page(story, "/alerts/")


def test_the_list_takes_at_most_twelve_queries(story: Story, breached: Release) -> None:
    otto = browser(story.people["Otto"])
    with CaptureQueriesContext(connection) as caught:
        assert otto.get("/alerts/").status_code == 200
    assert len(caught) <= 12
