"""A release goes out, comes back, and fails, over a node that reports what it sees."""

from importlib import import_module

import pytest

from apps.audit.models import Event
from apps.builds.models import Bento
from apps.governance.models import Release
from apps.registry.actions import set_alias
from apps.registry.models import Alias, Hold
from apps.rollouts import actions
from apps.rollouts.errors import NotAbortable, NothingToRollBackTo, RolloutOpen
from apps.rollouts.models import Rollout
from apps.serving.models import Endpoint, Revision
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, NotFound
from tests.support import factories
from tests.support.story import Story, kinds, weights

pytestmark = pytest.mark.django_db


def endpoint_of(release: Release) -> Endpoint:
    """Return where a release serves."""
    return Endpoint.objects.get(pk=release.endpoint_id)


def test_an_approved_release_goes_live(story: Story) -> None:
    release = story.live()
    rollout = story.rollout(release)
    assert rollout.state == "done"
    assert story.states() == [(1, "live", 10_000)]
    assert kinds(rollout.pk) == [
        "rollout.started.v1",
        "rollout.shifting.v1",
        "rollout.draining.v1",
        "rollout.done.v1",
    ]


def test_where_nothing_is_live_the_steps_are_skipped_and_it_says_so(story: Story) -> None:
    plan = {"strategy": "canary", "steps": [{"set_weight": 5}, {"pause": {}}]}
    release = story.release("development", plan=plan)
    story.settle()
    rollout = story.rollout(release)
    assert (rollout.state, weights()) == ("done", [10_000])
    assert rollout.reason == "Nothing was live here: the steps of the plan were skipped"


def test_what_serves_is_held_and_named_by_an_alias(story: Story) -> None:
    release = story.live()
    alias = Alias.objects.get(name="live-development")
    assert (alias.version_id, alias.managed_by) == (release.version_id, release.endpoint_id)
    assert list(Hold.objects.values_list("version", "reason")) == [(release.version_id, "live")]


def test_what_a_person_called_live_before_is_the_releases_from_the_next_on(story: Story) -> None:
    false = story.release("staging").version
    set_alias(false.model, name="live-development", version=false, actor=SYSTEM)
    release = story.live()
    alias = Alias.objects.get(name="live-development")
    assert (alias.version_id, alias.managed_by) == (release.version_id, release.endpoint_id)
    assert kinds(alias.pk)[-1] == "alias.set.v1"


def test_the_last_few_are_held_for_a_rollback_and_older_ones_are_not(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("apps.rollouts.actions.advance"), "ROLLBACK_KEPT", 2)
    releases = [story.live() for _ in range(4)]
    revisions = {r.release: r.pk for r in Revision.objects.all()}
    held = set(Hold.objects.values_list("holder", "reason"))
    assert held == {
        (revisions[releases[1].pk], "rollback"),
        (revisions[releases[2].pk], "rollback"),
        (revisions[releases[3].pk], "live"),
    }
    assert "hold.released.v1" in Event.objects.values_list("kind", flat=True)


def test_nobody_goes_back_to_a_collected_bento(story: Story) -> None:
    first = story.lived()
    story.lived()
    Bento.objects.filter(pk=first.bento_id).update(collected_at=now())
    with pytest.raises(NothingToRollBackTo):
        actions.rollback(endpoint_of(first), reason="worse", actor=story.otto)


def test_the_old_revision_keeps_every_request_until_the_new_one_is_ready(story: Story) -> None:
    first = story.lived()
    second = story.release("development")
    story.run_jobs("control")
    new = Revision.objects.get(release=second.pk)
    story.node.phase[new.pk] = ("starting", "")
    story.settle(rounds=3)
    assert story.states() == [(1, "live", 10_000), (2, "starting", 0)]
    del story.node.phase[new.pk]
    story.settle(rounds=1)
    assert story.states() == [(1, "live", 0), (2, "ready", 10_000)]
    story.settle()
    assert story.states() == [(1, "warm", 0), (2, "live", 10_000)]
    assert story.state(first) == "superseded"


def test_the_shift_waits_until_the_node_applies_the_weight(story: Story) -> None:
    story.lived()
    second = story.release("development")
    story.run_jobs("control")
    new = Revision.objects.get(release=second.pk)
    story.node.frozen_weights[new.pk] = 0
    story.settle()
    assert story.rollout(second).state == "shifting"
    story.node.frozen_weights.clear()
    story.settle()
    assert story.rollout(second).state == "done"


def test_a_rollback_to_a_warm_revision_shifts_at_once_and_needs_no_approval(story: Story) -> None:
    first = story.lived()
    second = story.lived()
    endpoint = endpoint_of(first)
    rollout = actions.rollback(endpoint, reason="worse answers", actor=story.otto)
    story.run_jobs("control")
    assert story.states() == [(1, "ready", 10_000), (2, "live", 0)]
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, rollout.kind) == ("done", "rollback")
    assert story.states() == [(1, "live", 10_000), (2, "stopped", 0)]
    for release, state in ((first, "live"), (second, "rolled_back")):
        assert story.state(release) == state
    assert kinds(rollout.pk)[0] == "rollout.rollback_started.v1"


def test_a_rollback_to_a_stopped_revision_starts_it_first(story: Story) -> None:
    plan = {"keep_warm_seconds": 0}
    for _ in range(2):
        release = story.release("development", plan=plan)
        story.settle()
    endpoint = endpoint_of(release)
    assert story.states() == [(1, "stopped", 0), (2, "live", 10_000)]
    old = Revision.objects.get(endpoint=endpoint, number=1)
    story.node.phase[old.pk] = ("starting", "")
    actions.rollback(endpoint, reason="worse", actor=story.otto)
    story.settle(rounds=2)
    assert story.states() == [(1, "starting", 0), (2, "live", 10_000)]
    story.node.phase.clear()
    story.settle()
    assert story.states() == [(1, "live", 10_000), (2, "stopped", 0)]


def test_a_rollback_goes_to_the_former_revision_that_is_named(story: Story) -> None:
    releases = [story.lived() for _ in range(3)]
    endpoint = endpoint_of(releases[0])
    page = factories.browser(story.people["Otto"])
    assert '<option value="1">1: ' in page.get(f"/endpoints/{endpoint.pk}/").content.decode()
    for wrong in (3, 9):  # what is live, what never was
        with pytest.raises(NothingToRollBackTo, match=f"Revision {wrong} is none of the last 5"):
            actions.rollback(endpoint, number=wrong, reason="worse", actor=story.otto)
    page.post(f"/endpoints/{endpoint.pk}/rollback", {"reason": "worse", "revision": "one"})
    assert not Rollout.objects.filter(kind="rollback").exists(), "it is not the one before"
    path = f"/api/v1/endpoints/{endpoint.pk}/rollback"
    answer = factories.api(story.people["Otto"]).post(path, {"reason": "worse", "revision": 1})
    assert answer.status_code == 202
    story.settle()
    assert story.states()[0] == (1, "live", 10_000)
    for release, state in zip(releases, ("live", "superseded", "rolled_back"), strict=True):
        assert story.state(release) == state


def test_while_a_release_goes_out_a_rollback_to_what_serves_aborts_it_and_no_other_is_taken(
    story: Story,
) -> None:
    first, _ = [story.lived() for _ in range(2)]
    story.release("development", plan={"strategy": "blue_green"})
    story.settle()
    endpoint = endpoint_of(first)
    with pytest.raises(RolloutOpen):
        actions.rollback(endpoint, number=1, reason="worse", actor=story.otto)
    aborted = actions.rollback(endpoint, number=2, reason="x", actor=story.otto)
    assert (aborted.kind, aborted.state) == ("release", "aborting")


def test_a_rollback_goes_past_a_release_that_was_rolled_back(story: Story) -> None:
    first = story.lived()
    story.lived()
    actions.rollback(endpoint_of(first), reason="worse", actor=story.otto)
    story.settle()
    story.live()
    actions.rollback(endpoint_of(first), reason="worse", actor=story.otto)
    story.settle()
    assert story.states()[0] == (1, "live", 10_000)
    with pytest.raises(NothingToRollBackTo):
        actions.rollback(endpoint_of(first), reason="worse", actor=story.otto)


def test_a_release_whose_right_to_start_has_ended_can_still_be_rolled_back_to(story: Story) -> None:
    first = story.lived()
    story.lived()
    import time_machine as machine

    with machine.travel(first.not_after.replace(year=first.not_after.year + 1), tick=True):
        rollout = actions.rollback(endpoint_of(first), reason="worse", actor=story.otto)
    assert rollout.to_revision.number == 1


def test_a_revision_that_the_node_refuses_fails_and_leaves_the_old_one_alone(story: Story) -> None:
    story.lived()
    second = story.release("development")
    story.run_jobs("control")
    new = Revision.objects.get(release=second.pk)
    story.node.phase[new.pk] = ("refused", "the permit is for another bento_digest")
    story.settle()
    assert story.states() == [(1, "live", 10_000), (2, "failed", 0)]
    assert story.state(second) == "failed"
    assert story.rollout(second).reason == (
        "The node refused it: the permit is for another bento_digest"
    )
    assert "revision.refused.v1" in kinds(new.pk)


def test_a_revision_that_is_never_ready_fails_at_its_deadline(story: Story) -> None:
    story.lived()
    second = story.release("development", plan={"ready_timeout_seconds": 10})
    story.run_jobs("control")
    rollout = story.rollout(second)
    story.node.phase[rollout.to_revision_id] = ("starting", "still importing")
    story.settle(rounds=2)
    Rollout.objects.filter(pk=rollout.pk).update(deadline=rollout.created_at)
    story.settle(rounds=2)
    assert story.state(rollout) == "failed"
    assert "It was not ready in time: 0 of 1 replicas answered." in rollout.reason
    assert story.states() == [(1, "live", 10_000), (2, "failed", 0)]


def test_one_that_fails_while_requests_move_gives_them_all_back(story: Story) -> None:
    story.lived()
    second = story.release("development")
    story.settle(rounds=1)
    new = Revision.objects.get(release=second.pk)
    story.node.frozen_weights[new.pk] = 0
    story.settle(rounds=2)
    assert story.rollout(second).state == "shifting"
    story.node.phase[new.pk] = ("failed", "killed: out of memory")
    story.settle()
    assert story.rollout(second).state == "failed"
    assert story.states() == [(1, "live", 10_000), (2, "failed", 0)]


def test_an_operator_aborts_a_rollout_that_starts(story: Story) -> None:
    story.lived()
    second = story.release("development")
    story.run_jobs("control")
    rollout = story.rollout(second)
    story.node.phase[rollout.to_revision_id] = ("starting", "")
    story.settle(rounds=1)
    actions.abort(rollout, reason="wrong version", actor=story.otto)
    story.settle()
    rollout.refresh_from_db()
    assert (rollout.state, rollout.reason) == ("aborted", "wrong version")
    assert story.states() == [(1, "live", 10_000), (2, "stopped", 0)]
    assert story.state(second) == "aborted"


def test_an_operator_aborts_while_requests_move(story: Story) -> None:
    story.lived()
    second = story.release("development")
    story.run_jobs("control")
    rollout = story.rollout(second)
    story.node.frozen_weights[rollout.to_revision_id] = 0
    story.settle(rounds=3)
    rollout.refresh_from_db()
    actions.abort(rollout, reason="worse", actor=story.otto)
    assert story.states() == [(1, "live", 10_000), (2, "ready", 0)]
    story.settle()
    assert story.states() == [(1, "live", 10_000), (2, "stopped", 0)]
    with pytest.raises(NotAbortable):
        actions.abort(rollout, reason="worse", actor=story.otto)


def test_an_endpoint_is_moved_by_one_rollout_at_a_time(story: Story) -> None:
    first = story.lived()
    story.lived()
    actions.rollback(endpoint_of(first), reason="worse", actor=story.otto)
    with pytest.raises(RolloutOpen):
        actions.rollback(endpoint_of(first), reason="worse", actor=story.otto)


def test_only_an_operator_rolls_back_and_a_stranger_sees_nothing(story: Story) -> None:
    first = story.lived()
    with pytest.raises(Forbidden):
        actions.rollback(endpoint_of(first), reason="worse", actor=story.ada)
    stranger = factories.actor_of(factories.person("Sam Stranger"))
    with pytest.raises(NotFound):
        actions.rollback(endpoint_of(first), reason="worse", actor=stranger)
