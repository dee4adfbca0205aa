"""Rollouts of several projects on one target: what goes wrong with one is no matter of another."""

from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from apps.governance import actions as governance
from apps.governance.actions import create_environment
from apps.governance.models import Release
from apps.jobs.actions import enqueue
from apps.registry.models import Alias
from apps.rollouts import actions, reconciler
from apps.rollouts.actions import schedule_drills
from apps.rollouts.models import Drill, DrillSchedule
from apps.serving.drivers.base import Observation, RevisionObservation, StateGeneration
from apps.serving.models import Endpoint, Revision
from placet.kernel.clock import now
from tests.support.story import Story
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db


def test_an_environment_of_any_name_can_be_released_to(story: Story) -> None:
    world = story.world
    create_environment(world.project, name="eu--west", targets=[world.target], actor=story.otto)
    world.policy("eu--west", OPEN)
    release = story.release("eu--west")
    story.settle()
    assert story.state(release) == "live"
    assert Alias.objects.get(name="live-eu--west").version == release.version


def test_a_rollout_that_cannot_be_moved_on_stops_no_other(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = story.release("development")
    story.run_jobs("rollouts.start")
    known = reconciler.reconcile

    def reconcile(rollout: str, *more: Any) -> Any:
        if rollout == story.rollout(stuck).pk:
            raise RuntimeError("nobody thought of this")
        return known(rollout, *more)

    monkeypatch.setattr(reconciler, "reconcile", reconcile)
    next_door = Story(World("next"), story.node, story.run_jobs)
    release = next_door.release("development")
    next_door.settle()
    assert (story.state(stuck), story.state(release)) == ("rolling_out", "live")


def failing(known: Callable[..., Any], about: str) -> Callable[..., Any]:
    """Return ``known`` as it is, but for the row ``about``."""

    def act(row: Any, *more: Any) -> Any:
        if row.pk == about:
            raise RuntimeError("nobody thought of this")
        return known(row, *more)

    return act


def test_a_drill_that_cannot_be_begun_stops_no_other(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = story.lived()
    bento = story.world.bento(story.world.version())
    second = story.live("development", bento, endpoint="churn-2")
    for release in (first, second):
        schedule_drills(release.endpoint, every_days=1, hour=3, actor=story.otto)
    DrillSchedule.objects.update(next_at=now())
    stuck, due = DrillSchedule.objects.order_by("pk")
    monkeypatch.setattr(actions, "run_planned", failing(actions.run_planned, stuck.pk))
    job = enqueue("rollouts.drills")
    story.run_jobs("control")
    assert [drill.endpoint_id for drill in Drill.objects.all()] == [due.endpoint_id]
    job.refresh_from_db()
    assert (job.state, "nobody thought of this" in job.error) == ("failed", True)


def test_a_drill_that_cannot_be_finished_stops_none_that_is_due(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = story.lived().endpoint
    stuck = Drill.objects.create(
        project=story.world.project, endpoint=endpoint, started_by=story.otto.id
    )
    schedule_drills(endpoint, every_days=1, hour=3, actor=story.otto)
    DrillSchedule.objects.update(next_at=now())
    monkeypatch.setattr(actions, "finish_drill", failing(actions.finish_drill, stuck.pk))
    enqueue("rollouts.drills")
    story.run_jobs("control")
    assert Drill.objects.filter(state="skipped", endpoint=endpoint).count() == 1


def test_a_release_that_cannot_be_expired_stops_no_other_and_keeps_no_glass(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = story.release("staging"), story.release("staging")
    Release.objects.update(not_after=now())
    sweeps = import_module("apps.governance.actions.sweeps")
    monkeypatch.setattr(sweeps, "_expire", failing(sweeps._expire, stuck.pk))
    ended: list[object] = []
    monkeypatch.setattr(governance, "end_break_glasses_due", lambda: ended.append("asked") or 0)
    enqueue("governance.expire")
    story.run_jobs("control")
    assert (story.state(stuck), story.state(other), ended) == ("requested", "expired", ["asked"])


@pytest.mark.parametrize("stuck", [0, 1])
def test_a_revision_that_cannot_be_retired_stops_none_of_another_project(
    story: Story, monkeypatch: pytest.MonkeyPatch, stuck: int
) -> None:
    next_door = Story(World("next"), story.node, story.run_jobs)
    for one in (story, next_door):
        for _ in range(2):
            one.release("development")
            one.settle()
    warm = Revision.objects.filter(state="warm")
    warm.update(warm_until=now())
    revisions = [*warm.order_by("pk")]
    retire = actions.retire

    def failing_retire(revision: Revision, **how: Any) -> bool:
        if revision == revisions[stuck]:
            raise RuntimeError("nobody thought of this")
        return retire(revision, **how)

    monkeypatch.setattr(actions, "retire", failing_retire)
    target = story.world.target.pk
    enqueue("rollouts.reconcile_target", key=target, target=target)
    story.run_jobs("control")
    states = [Revision.objects.get(pk=revision.pk).state for revision in revisions]
    assert (states[stuck], states[1 - stuck]) == ("warm", "draining")


def test_an_abort_that_cannot_be_followed_stops_none_of_another_project(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_door = Story(World("next"), story.node, story.run_jobs)
    for one in (story, next_door):
        one.release("development")
        one.settle()
    live = Revision.objects.filter(state="live")
    aborted = {
        pk: RevisionObservation(pk, "serving", aborted="errors") for (pk,) in live.values_list("pk")
    }
    seen = Observation(True, now(), StateGeneration(0, 0), aborted)
    monkeypatch.setattr(reconciler, "driver_for", lambda _: SimpleNamespace(observe=lambda _: seen))
    asked: list[str] = []

    def failing_go_back(endpoint: Endpoint, **why: Any) -> None:
        asked.append(endpoint.pk)
        raise RuntimeError("nobody thought of this")

    after_abort = import_module("apps.rollouts.actions.after_abort")
    monkeypatch.setattr(after_abort, "go_back", failing_go_back)
    target = story.world.target.pk
    enqueue("rollouts.reconcile_target", key=target, target=target)
    story.run_jobs("control")
    assert {*asked} == {*live.values_list("endpoint", flat=True)}
