"""When a release was live for the first time, whatever became of it since."""

from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from apps.assurance.queries.figures import figures
from apps.audit.models import Event
from apps.governance.models import FIRST_LIVE, Release
from apps.rollouts.actions import rollback
from apps.serving.actions import start_endpoint, stop_endpoint
from tests.support.story import Story

pytestmark = pytest.mark.django_db
WARM: dict[str, Any] = {"keep_warm_seconds": 3600}
FILL = import_module("apps.governance.migrations.0015_first_live_at").FILL


def restored(story: Story) -> tuple[Release, Release]:
    """Return a release that was stopped, started, replaced and gone back to, and its successor."""
    first = story.live("development", plan=WARM)
    stop_endpoint(first.endpoint, actor=story.otto)
    start_endpoint(first.endpoint, actor=story.otto)
    story.settle()
    second = story.live("development", plan=WARM)
    rollback(second.endpoint, reason="Worse", actor=story.otto)
    story.settle()
    assert (story.state(first), story.state(second)) == ("live", "rolled_back")
    return first, second


def test_a_start_and_a_way_back_leave_when_a_release_was_live_for_the_first_time(
    story: Story,
) -> None:
    first, second = restored(story)
    assert first.first_live_at is not None and first.live_at is not None
    assert first.first_live_at < first.live_at
    assert second.first_live_at == second.live_at
    logged = Event.objects.get(subject=first.pk, kind="release.live.v1").at
    assert abs(datetime.fromisoformat(logged) - first.first_live_at) < timedelta(seconds=5)


def test_of_releases_from_before_it_is_filled_from_the_log(story: Story) -> None:
    first, second = restored(story)
    waiting = story.release("staging")
    known = first.first_live_at
    Release.objects.update(first_live_at=None)
    with connection.cursor() as cursor:
        cursor.execute(FILL)
    for release in (first, second, waiting):
        release.refresh_from_db()
    assert known is not None and first.first_live_at is not None and first.live_at is not None
    assert abs(first.first_live_at - known) < timedelta(seconds=5)
    assert first.first_live_at < first.live_at
    assert second.first_live_at == second.live_at
    assert waiting.first_live_at is None


def test_what_an_earlier_release_of_placet_made_live_meanwhile_is_known_by_its_last_time(
    story: Story,
) -> None:
    live = story.live("development")
    Release.objects.update(first_live_at=None)
    assert list(Release.objects.values_list(FIRST_LIVE, flat=True)) == [live.live_at]
    assert figures(story.world.project, story.ada).stages.whole.count == 1
