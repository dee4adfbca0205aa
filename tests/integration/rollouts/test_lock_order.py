"""Rows are held in the order that is written in :mod:`apps.rollouts.actions.locking`: two who meet
wait, and neither for ever."""

import re
from collections.abc import Callable
from functools import partial
from importlib import import_module

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.assurance.actions import recall
from apps.governance.models import Release
from apps.jobs.models import Job
from apps.rollouts import actions
from apps.rollouts.actions import follow_live, start
from apps.rollouts.actions.abort_and_rollback import go_back
from apps.rollouts.models import Rollout
from apps.serving.actions import delete_endpoint, stop_endpoint
from apps.serving.capacity import occupants
from apps.serving.models import Endpoint, Revision, Target
from placet.kernel.actor import SYSTEM
from tests.support.meeting import Meeting, at_once
from tests.support.story import Story

pytestmark = pytest.mark.django_db
STEPS = [{"set_weight": 5}, {"pause": {}}, {"set_weight": 50}, {"pause": {}}]
CANARY = {"strategy": "canary", "steps": STEPS}
ORDER = {
    "identity_project": "project",
    "serving_endpoint": "endpoint",
    "serving_target": "target",
    "rollouts_rollout": "rollout",
    "registry_registeredmodel": "model",
    "registry_modelversion": "version",
}
# a row that is locked, or whose state is changed
_HOLDS = re.compile(
    rf'(?:UPDATE|FROM) "({"|".join(ORDER)})" (?:SET .*"state" =|.*FOR (?:NO KEY )?UPDATE)', re.S
)


def holds(act: Callable[[], object]) -> list[tuple[str, str]]:
    """Return each statement of ``act`` that held or wrote a row, behind what it held."""
    with CaptureQueriesContext(connection) as queries:
        act()
    found = [(match, row["sql"]) for row in queries if (match := _HOLDS.search(row["sql"]))]
    return [(ORDER[match[1]], sql) for match, sql in found]


def held(act: Callable[[], object]) -> list[str]:
    """Return of what ``act`` held or wrote a row, each once, in order."""
    return list(dict.fromkeys(what for what, _ in holds(act)))


@pytest.fixture
def moving(story: Story) -> tuple[Story, Rollout]:
    """A canary that waits for a person, over a live release."""
    story.lived()
    return story, story.rollout(story.under_way(CANARY))


def _recall(story: Story, rollout: Rollout) -> object:
    said = {"kind": "bento", "what": rollout.to_revision.bento_id, "reason": "x"}
    return recall(**said, project=story.world.project, actor=story.otto)


ASKED: dict[str, Callable[[Story, Rollout], object]] = {
    "pause": lambda s, r: actions.pause(r, reason="x", actor=s.otto),
    "resume": lambda s, r: actions.resume(r, step=r.step, reason="x", actor=s.otto),
    "skip": lambda s, r: actions.skip(r, step=r.step, reason="x", actor=s.otto),
    "promote": lambda s, r: actions.promote(r, step=r.step, reason="x", actor=s.otto),
    "abort": lambda s, r: actions.abort(r, reason="x", actor=s.otto),
    "rollback": lambda s, r: actions.rollback(r.endpoint, reason="x", actor=s.otto),
}


@pytest.mark.parametrize("what", ASKED)
def test_what_people_ask_of_a_rollout_holds_its_endpoint_first(
    moving: tuple[Story, Rollout], what: str
) -> None:
    story, rollout = moving
    assert held(lambda: ASKED[what](story, rollout)) == ["endpoint", "rollout"]


def test_a_recall_holds_project_endpoints_and_targets_first(moving: tuple[Story, Rollout]) -> None:
    story, rollout = moving
    found = held(lambda: _recall(story, rollout))
    assert found[:4] == ["project", "endpoint", "target", "rollout"]


def test_the_reconciler_holds_the_endpoint_first(moving: tuple[Story, Rollout]) -> None:
    story, rollout = moving
    actions.promote(rollout, step=rollout.step, reason="x", actor=story.otto)
    order = held(story.settle)
    assert story.state(rollout) == "done"
    assert order == ["endpoint", "rollout", "model", "version"]


def test_going_back_holds_the_endpoint_first(story: Story) -> None:
    story.lived()
    second: Release = story.live()
    order = held(lambda: go_back(second.endpoint, reason="x", actor=SYSTEM))
    assert order[:2] == ["endpoint", "target"]


def test_a_start_holds_the_endpoint_and_then_its_target(story: Story) -> None:
    release = story.release("development")
    order = held(lambda: actions.start_rollout(release, actor=SYSTEM))
    assert order == ["endpoint", "target"]


def test_who_makes_room_behind_another_endpoint_does_not_hold_that(story: Story) -> None:
    story.lived()
    warm = story.live().endpoint
    Target.objects.update(capacity_mb=2 * 1024)
    release = story.release("development", endpoint="other")
    found = holds(lambda: actions.start_rollout(release, actor=SYSTEM))
    assert Revision.objects.get(endpoint=warm, number=1).state == "draining"
    assert {sql for what, sql in found if what == "endpoint" and warm.pk in sql} == set()


def test_versions_are_held_by_id(story: Story) -> None:
    """First those that begin or cease to serve; last those of an endpoint that is deleted."""
    first, second = story.lived(), story.live()
    actions.rollback(second.endpoint, reason="x", actor=story.otto)
    found = [sql for what, sql in holds(story.settle) if what == "version"]
    ids = sorted([first.version_id, second.version_id])
    assert all(pk in found[0] for pk in ids) and "ORDER BY 1 ASC FOR NO KEY UPDATE" in found[0]

    place = Endpoint.objects.get(pk=first.endpoint_id)
    stop_endpoint(place, actor=story.otto)
    place.refresh_from_db()
    gone = holds(lambda: delete_endpoint(place, if_generation=place.generation, actor=story.otto))
    found = [sql for what, sql in gone if what == "version"]
    order = [pk for sql in found for pk in ids if f"= '{pk}'" in sql]
    assert (order, set(order)) == (sorted(order), set(ids))


@pytest.mark.django_db(transaction=True)
def test_two_start_and_one_makes_room_at_the_endpoint_of_the_other(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    Target.objects.filter(name="local").update(capacity_mb=100_000)
    wish = {"memory_mb": 1000}
    for name in ("one", "two", "one", "two"):
        story.live("development", endpoint=name, serving=wish)
    waiting = [story.release("development", endpoint=n, serving=wish) for n in ("one", "two")]
    Target.objects.filter(name="local").update(capacity_mb=4000)  # two live, two warm: full
    monkeypatch.setattr(start, "refuse_unlisted", Meeting().before(start.refuse_unlisted))
    found = at_once(*(partial(actions.start_rollout, row, actor=SYSTEM) for row in waiting))
    assert [type(one) for one in found] == [Rollout, Rollout]
    assert sum(row.memory_mb for row in occupants(Target.objects.get(name="local"))) == 4000


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_is_deleted_while_another_of_its_model_and_target_moves(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = story.live("development", endpoint="gone")
    said = {"kind": "bento", "what": gone.bento_id, "reason": "x"}
    recall(**said, project=story.world.project, actor=story.otto)
    story.settle()  # what ran behind it has stopped: nothing of it is published any more
    story.live("development", endpoint="two")
    moved = story.live("development", endpoint="two")
    rollout = actions.rollback(moved.endpoint, reason="x", actor=story.otto)
    meeting = Meeting()
    for module, met in (("advance", meeting.before), ("after_deletion", meeting.behind)):
        where = import_module(f"apps.rollouts.actions.{module}")
        monkeypatch.setattr(where, "follow_live", met(follow_live))
    place = Endpoint.objects.get(pk=gone.endpoint_id)
    found = at_once(
        lambda: delete_endpoint(place, if_generation=place.generation, actor=story.otto),
        lambda: story.settle(3),
    )
    place.refresh_from_db()
    assert (found, place.state) == ([None, None], "deleted")
    assert story.state(rollout) == "done"
    assert not Job.objects.filter(attempts__gt=1).exists(), "a job failed, and was tried again"
