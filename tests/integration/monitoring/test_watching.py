"""Watching endpoints asks as much of the database for one objective as for many."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.monitoring import actions
from apps.monitoring.metrics import objective_gauges
from apps.monitoring.models import MetricWindow
from apps.monitoring.queries import watched
from apps.monitoring.reconciler import watch_endpoints
from apps.monitoring.rules import ObjectiveTerms
from apps.serving.models import Revision
from placet.kernel.clock import now
from tests.support.story import Story

pytestmark = pytest.mark.django_db


def hold(story: Story, name: str, **terms: int) -> Revision:
    """Make one more endpoint, live for an hour, and hold it to something."""
    release = story.live("development", endpoint=name)
    actions.set_objective(
        release.endpoint, terms=ObjectiveTerms(availability=0.99, **terms), actor=story.otto
    )
    live = Revision.objects.get(endpoint=release.endpoint, state="live")
    Revision.objects.filter(pk=live.pk).update(live_at=now() - timedelta(hours=1))
    return live


def answer(story: Story, revision: Revision, good: int, bad: int, minutes: int) -> None:
    """Have the node say what the revision answered, so long ago."""
    MetricWindow.objects.create(
        node=story.node.id,
        revision=revision.pk,
        started_at=now() - timedelta(minutes=minutes),
        seconds=10,
        status_2xx=good,
        status_5xx=bad,
    )


@pytest.mark.parametrize("ask", [watched, watch_endpoints, objective_gauges])
def test_three_objectives_take_as_many_queries_as_one(story: Story, ask: Callable[[], Any]) -> None:
    counts = []
    for name in ("a", "b", "c"):
        hold(story, name)
        story.settle()
        with CaptureQueriesContext(connection) as caught:
            ask()
        counts.append(len(caught))
    assert counts == [counts[0]] * 3


def test_each_is_judged_by_its_own_requests_in_its_own_time(story: Story) -> None:
    short = hold(story, "a", window_minutes=5, min_requests=10)
    long = hold(story, "b", window_minutes=30, min_requests=10)
    young = hold(story, "c", window_minutes=30, min_requests=10)
    Revision.objects.filter(pk=young.pk).update(live_at=now() - timedelta(minutes=2))
    for revision in (short, long, young):
        answer(story, revision, 0, 100, minutes=10)
    answer(story, short, 20, 0, minutes=1)
    found = {item.revision.pk: item.verdict for item in watched()}
    assert {pk: verdict.standing for pk, verdict in found.items()} == {
        short.pk: "met",
        long.pk: "breached",
        young.pk: "unknown",
    }
