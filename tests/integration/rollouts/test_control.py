"""What operators do to a rollout under way: at once, with a reason, once however often asked."""

from typing import Any

import pytest

from apps.audit.models import Event
from apps.governance import actions as governance
from apps.governance.errors import Expired, GatesFailed, WrongState
from apps.governance.models import Release
from apps.rollouts import actions
from apps.rollouts.errors import (
    AlreadyPaused,
    NotRetryable,
    NotSkippable,
    PastSteps,
    RolloutOpen,
    StepMoved,
)
from apps.rollouts.models import Rollout
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, InvalidInput, NotFound
from tests.support import factories
from tests.support.story import Story, weights
from tests.support.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("first_release")]
CANARY = {
    "strategy": "canary",
    "steps": [{"set_weight": 5}, {"pause": {}}, {"set_weight": 50}, {"pause": {}}],
}
FROZEN = "version: 1\ngates:\n  - {gate: build}\n  - {gate: freeze}\n"


@pytest.fixture
def waiting(story: Story) -> Rollout:
    """A canary that waits for a person at 5%."""
    found = story.rollout(story.under_way(CANARY))
    assert (found.state, found.step) == ("waiting", 1)
    return found


def fresh(rollout: Rollout) -> Rollout:
    """Return the rollout as it stands."""
    return Rollout.objects.get(pk=rollout.pk)


def events(rollout: Rollout, kind: str) -> int:
    """Return how often something was logged about it."""
    return Event.objects.filter(subject=rollout.pk, kind=f"rollout.{kind}.v1").count()


def test_a_paused_rollout_goes_no_further_and_keeps_its_weights(story: Story) -> None:
    release = story.release("development", plan=CANARY)
    story.run_jobs("control")
    rollout = story.rollout(release)
    actions.pause(rollout, reason="lunch", actor=story.otto)
    story.settle()
    assert (fresh(rollout).state, weights()) == ("starting", [10_000, 0])
    actions.resume(rollout, step=-1, reason="back", actor=story.otto)
    story.settle()
    assert (fresh(rollout).state, weights()) == ("waiting", [9_500, 500])


def test_pausing_twice_is_pausing_once(world: World, waiting: Rollout) -> None:
    for _ in range(2):
        actions.pause(waiting, reason="lunch", actor=world.otto)
    assert fresh(waiting).paused_by == world.otto.id
    assert events(waiting, "paused") == 1


def test_a_second_reason_to_pause_is_refused_and_not_dropped(
    story: Story, waiting: Rollout
) -> None:
    actions.pause(waiting, reason="lunch", actor=story.otto)
    with pytest.raises(AlreadyPaused, match="paused already"):
        actions.pause(waiting, reason="an incident", actor=story.otto)
    assert fresh(waiting).reason == "lunch"
    assert events(waiting, "paused") == 1


def test_resuming_ends_both_pauses_and_a_second_click_ends_no_other(
    story: Story, waiting: Rollout
) -> None:
    actions.pause(waiting, reason="lunch", actor=story.otto)
    actions.resume(waiting, step=1, reason="well", actor=story.otto)
    assert (fresh(waiting).paused_by, weights()) == ("", [5_000, 5_000])
    story.settle()
    assert fresh(waiting).step == 3
    with pytest.raises(StepMoved):
        actions.resume(waiting, step=1, reason="well", actor=story.otto)
    assert fresh(waiting).step == 3
    assert events(waiting, "resumed") == 1


def test_resuming_what_nobody_holds_changes_nothing(story: Story) -> None:
    release = story.release("development", plan=CANARY)
    story.run_jobs("control")
    rollout = story.rollout(release)
    actions.resume(rollout, step=-1, reason="go", actor=story.otto)
    assert fresh(rollout).generation == rollout.generation
    assert events(rollout, "resumed") == 0


def test_a_step_is_skipped_at_once_and_once(story: Story, waiting: Rollout) -> None:
    actions.skip(waiting, step=1, reason="seen enough", actor=story.otto)
    assert (fresh(waiting).step, weights()) == (2, [5_000, 5_000])
    with pytest.raises(StepMoved):
        actions.skip(waiting, step=1, reason="seen enough", actor=story.otto)
    story.settle()
    assert fresh(waiting).step == 3
    assert events(waiting, "step_skipped") == 1


def test_a_skipped_step_of_a_paused_rollout_leaves_it_paused(
    story: Story, waiting: Rollout
) -> None:
    actions.pause(waiting, reason="slowly", actor=story.otto)
    actions.skip(waiting, step=1, reason="by hand", actor=story.otto)
    story.settle()
    assert (fresh(waiting).step, weights()) == (2, [5_000, 5_000])
    assert fresh(waiting).paused_by == story.otto.id


def test_what_is_not_ready_has_no_step_to_skip(story: Story) -> None:
    release = story.release("development", plan=CANARY | {"start": "manual"})
    rollout = actions.start_rollout(release, actor=story.otto)
    with pytest.raises(NotSkippable):
        actions.skip(rollout, step=-1, reason="now", actor=story.otto)


def test_who_starts_what_somebody_has_just_started_is_told_that_it_is_this_release(
    story: Story,
) -> None:
    release = story.release("development", plan=CANARY | {"start": "manual"})
    actions.start_rollout(release, actor=story.otto)
    with pytest.raises(RolloutOpen, match="The rollout of this release is under way already"):
        actions.start_rollout(release, actor=story.otto)


def test_promoting_sends_everything_at_once_and_ends_the_rollout(
    story: Story, waiting: Rollout
) -> None:
    actions.pause(waiting, reason="lunch", actor=story.otto)
    for _ in range(2):
        actions.promote(waiting, step=waiting.step, reason="it is well", actor=story.otto)
    assert weights() == [0, 10_000]
    story.settle()
    assert fresh(waiting).state == "done"
    assert events(waiting, "promoted") == 1


def test_one_promoted_before_it_is_ready_takes_all_requests_when_it_is(story: Story) -> None:
    release = story.release("development", plan=CANARY | {"start": "manual"})
    rollout = actions.start_rollout(release, actor=story.otto)
    actions.promote(rollout, step=rollout.step, reason="urgent", actor=story.otto)
    assert weights() == [10_000, 0]
    story.settle()
    assert (fresh(rollout).state, weights()) == ("done", [0, 10_000])


@pytest.mark.parametrize("held", [False, True])
def test_an_abort_at_a_step_gives_everything_back_at_once(
    story: Story, waiting: Rollout, held: bool
) -> None:
    if held:
        actions.pause(waiting, reason="lunch", actor=story.otto)
    actions.abort(waiting, reason="worse", actor=story.otto)
    assert weights() == [10_000, 0]
    story.settle()
    found = fresh(waiting)
    assert (found.state, found.reason, found.paused_by) == ("aborted", "worse", "")


@pytest.mark.parametrize("held", [False, True])
def test_a_rollback_works_while_it_waits_or_is_held_and_during_a_freeze(
    story: Story, waiting: Rollout, held: bool
) -> None:
    story.world.policy("development", FROZEN)
    governance.set_freeze(story.world.environment("development"), reason="night", actor=story.vera)
    if held:
        actions.pause(waiting, reason="lunch", actor=story.otto)
    back = actions.rollback(waiting.endpoint, reason="worse", actor=story.otto)
    assert (back.pk, back.state, weights()) == (waiting.pk, "aborting", [10_000, 0])
    story.settle()
    assert fresh(waiting).state == "aborted"


@pytest.mark.parametrize(
    ("verb", "more"),
    [("pause", {}), ("resume", {"step": 1}), ("skip", {"step": 1}), ("promote", {"step": 1})],
)
def test_each_needs_the_permission_and_a_reason_and_an_open_rollout(
    story: Story, waiting: Rollout, verb: str, more: Any
) -> None:
    act: Any = getattr(actions, verb)
    with pytest.raises(Forbidden):
        act(waiting, reason="x", actor=story.ada, **more)
    stranger = factories.actor_of(factories.person("Sam Stranger"))
    with pytest.raises(NotFound):
        act(waiting, reason="x", actor=stranger, **more)
    with pytest.raises(InvalidInput):
        act(waiting, reason="  ", actor=story.otto, **more)
    actions.abort(waiting, reason="worse", actor=story.otto)
    story.settle()
    with pytest.raises(PastSteps):
        act(waiting, reason="x", actor=story.otto, **more)


def aborted(rollout: Rollout, story: Story) -> Release:
    """Abort it, and return its release."""
    actions.abort(rollout, reason="worse", actor=story.otto)
    story.settle()
    return Release.objects.get(pk=rollout.release_id)


def test_what_was_aborted_is_tried_again_on_the_same_approval(
    story: Story, waiting: Rollout
) -> None:
    release = aborted(waiting, story)
    decided = release.request_digest
    again = actions.retry(waiting, reason="the node was full", actor=story.otto)
    assert again.pk != waiting.pk
    with pytest.raises(WrongState):
        actions.retry(waiting, reason="the node was full", actor=story.otto)
    story.settle()
    assert (fresh(again).state, fresh(again).step) == ("waiting", 1)
    release.refresh_from_db()
    assert (release.state, release.request_digest) == ("rolling_out", decided)
    assert events(waiting, "retried") == 1


def test_nothing_is_tried_again_that_a_gate_or_the_time_forbids(
    story: Story, waiting: Rollout
) -> None:
    release = aborted(waiting, story)
    Release.objects.filter(pk=release.pk).update(not_after=now())
    with pytest.raises(Expired):
        actions.retry(waiting, reason="again", actor=story.otto)
    Release.objects.filter(pk=release.pk).update(not_after=release.not_after)
    type(release.bento.build).objects.filter(pk=release.bento.build_id).update(state="failed")
    with pytest.raises(GatesFailed):
        actions.retry(waiting, reason="again", actor=story.otto)
    assert story.state(release) == "aborted"


def test_what_goes_out_or_went_out_is_not_tried_again(story: Story, waiting: Rollout) -> None:
    with pytest.raises(NotRetryable):
        actions.retry(waiting, reason="again", actor=story.otto)
    actions.promote(waiting, step=waiting.step, reason="well", actor=story.otto)
    story.settle()
    with pytest.raises(NotRetryable):
        actions.retry(fresh(waiting), reason="again", actor=story.otto)
