"""A rollout over time: what was planned and measured."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.monitoring.models import MetricWindow
from apps.rollouts.models import Rollout
from placet.kernel.clock import rfc3339
from tests.support.factories import api
from tests.support.story import Story
from tests.support.world import World

pytestmark = pytest.mark.django_db
CANARY = {"strategy": "canary", "steps": [{"set_weight": 25}, {"pause": {}}]}
T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def rollout(story: Story, first_release: None) -> Rollout:
    """A canary that waits at 25%, and that began ten minutes before it was given up."""
    row = story.rollout(story.under_way(CANARY))
    assert (row.state, row.step) == ("waiting", 1)
    Rollout.objects.filter(pk=row.pk).update(
        created_at=T0,
        finished_at=T0 + timedelta(minutes=10),
        state="failed",
        step_times={"0": (T0 + timedelta(minutes=1)).isoformat()},
        phase_times={"aborting": (T0 + timedelta(minutes=9)).isoformat()},
    )
    row.refresh_from_db()
    return row


def count(revision: str | None, second: float, good: int, bad: int = 0, **changes: Any) -> None:
    """Store a window of ``revision`` that began so many seconds after the rollout."""
    assert revision is not None
    MetricWindow.objects.create(
        node="nod_1",
        revision=revision,
        started_at=T0 + timedelta(seconds=second),
        seconds=10,
        **{"status_2xx": good, "status_5xx": bad, "latency": {"25": good, "inf": bad}} | changes,
    )


def at(second: int) -> str:
    return rfc3339(T0 + timedelta(seconds=second))


def test_windows_stand_in_their_stretches(world: World, rollout: Rollout) -> None:
    new, old = rollout.to_revision_id, rollout.from_revision_id
    count(old, -61, 7)  # before the time that is shown
    count(old, -50, 40)
    count(old, 100, 300, 0)
    count(new, 100.4, 98, 2)
    count(old, 100.7, 300, 0)  # a second node, whose window ended a little late: it adds up
    mirrored = {"status_2xx": 9, "status_5xx": 1, "latency": {"5": 10, "inf": 0}}
    count(new, 120, 0, 0, apart={"mirrored": mirrored, "overridden": {"status_2xx": 5}})
    count(old, 600, 7)  # after it
    client = api(world.people["Otto"])
    with CaptureQueriesContext(connection) as caught:
        answer = client.get(f"/rollouts/{rollout.pk}/series")
    assert answer.status_code == 200
    assert len(caught) <= 12, "\n".join(q["sql"][:150] for q in caught)
    body = answer.json()
    assert (body["since"], body["until"], body["seconds"]) == (at(-60), at(600), 10)
    assert body["growing"] is False
    assert body["planned"] == [
        {"at": at(0), "weight": 0},
        {"at": at(60), "weight": 2500},
        {"at": at(540), "weight": 0},
    ]
    before, split, copied = body["points"]
    assert [point["at"] for point in body["points"]] == [at(-50), at(100), at(120)]
    assert (before["share"], before["new"], before["old"]["requests"]) == (0, None, 40)
    assert (before["old"]["per_second"], before["old"]["error_rate"]) == (4, 0)
    assert (split["share"], split["old"]["requests"]) == (100 / 700, 600)
    assert split["old"]["per_second"] == 30
    assert split["new"]["error_rate"] == 0.02
    assert 17 < split["new"]["p50_ms"] < 18  # in the middle from 10 to 25
    assert split["new"]["p99_ms"] == 10_000  # in the open-ended bucket: longer than the last bound
    assert (copied["share"], copied["new"], copied["old"]) == (None, None, None)
    assert (copied["copies"]["requests"], copied["copies"]["error_rate"]) == (10, 0.1)


def test_no_request_stands_in_a_stretch_that_ended_before_it_was_made(
    world: World, rollout: Rollout
) -> None:
    """A window of an older agent lies in two stretches; it may have counted up to its end."""
    count(rollout.from_revision_id, 104, 10)
    count(rollout.from_revision_id, 595, 7)  # ended after the rollout did
    points = api(world.people["Otto"]).get(f"/rollouts/{rollout.pk}/series").json()["points"]
    found = [(point["at"], point["old"]["requests"]) for point in points]
    assert found == [(at(110), 10), (at(600), 7)]
