"""A release goes out, comes back, and fails, over a node that reports what it sees."""

from collections.abc import Callable
from importlib import import_module

import pytest

from apps.audit.models import Event
from apps.builds.models import Bento
from apps.governance.models import Release
from apps.registry.models import Alias, Hold
from apps.rollouts import actions
from apps.rollouts.errors import NotAbortable, NothingToRollBackTo, RolloutOpen
from apps.rollouts.models import Rollout
from apps.serving.models import Endpoint, Revision
from placet.kernel.clock import now
from placet.kernel.problems import Forbidden, NotFound
from tests.support import factories
from tests.support.nodes import SimulatedNode, run
from tests.support.world import World

pytestmark = pytest.mark.django_db
RunJobs = Callable[..., int]


@pytest.fixture
def node(world: World) -> SimulatedNode:
    """The node of the world's only target."""
    joined = SimulatedNode.joined(world.target)
    joined.report()
    return joined


def release_one(world: World, node: SimulatedNode, run_jobs: RunJobs) -> Release:
    """Take one more version all the way to live."""
    release = world.request("development")
    run(node, run_jobs)
    release.refresh_from_db()
    assert release.state == "live", release.state
    return release


def endpoint_of(release: Release) -> Endpoint:
    """Return where a release serves."""
    return Endpoint.objects.get(pk=release.endpoint_id)


def states(endpoint: Endpoint) -> list[tuple[int, str, int]]:
    """Return number, state and weight of every revision."""
    rows = Revision.objects.filter(endpoint=endpoint).order_by("number")
    return [(row.number, row.state, row.weight) for row in rows]


def kinds(subject: str) -> list[str]:
    """Return the events about one thing, in order."""
    return list(
        Event.objects.filter(subject=subject).order_by("index").values_list("kind", flat=True)
    )


def test_an_approved_release_goes_live(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    release = release_one(world, node, run_jobs)
    rollout = Rollout.objects.get(release=release)
    assert rollout.state == "done"
    assert states(endpoint_of(release)) == [(1, "live", 10_000)]
    assert kinds(rollout.pk) == [
        "rollout.started.v1", "rollout.shifting.v1", "rollout.draining.v1", "rollout.done.v1",
    ]  # fmt: skip


def test_what_serves_is_held_and_named_by_an_alias(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    release = release_one(world, node, run_jobs)
    alias = Alias.objects.get(name="live-development")
    assert (alias.version_id, alias.managed_by) == (release.version_id, release.endpoint_id)
    assert list(Hold.objects.values_list("version", "reason")) == [(release.version_id, "live")]


def test_the_last_few_are_held_for_a_rollback_and_older_ones_are_not(
    world: World, node: SimulatedNode, run_jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("apps.rollouts.actions.advance"), "ROLLBACK_KEPT", 2)
    releases = [release_one(world, node, run_jobs) for _ in range(4)]
    revisions = {r.release: r.pk for r in Revision.objects.all()}
    held = set(Hold.objects.values_list("holder", "reason"))
    assert held == {
        (revisions[releases[1].pk], "rollback"),
        (revisions[releases[2].pk], "rollback"),
        (revisions[releases[3].pk], "live"),
    }
    assert "hold.released.v1" in Event.objects.values_list("kind", flat=True)


def test_nobody_goes_back_to_a_collected_bento(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    release_one(world, node, run_jobs)
    Bento.objects.filter(pk=first.bento_id).update(collected_at=now())
    with pytest.raises(NothingToRollBackTo):
        actions.rollback(endpoint_of(first), actor=world.otto)


def test_the_old_revision_keeps_every_request_until_the_new_one_is_ready(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    second = world.request("development")
    run_jobs("control")
    new = Revision.objects.get(release=second.pk)
    node.phase[new.pk] = ("starting", "")
    run(node, run_jobs, rounds=3)
    assert states(endpoint_of(first)) == [(1, "live", 10_000), (2, "starting", 0)]
    del node.phase[new.pk]
    run(node, run_jobs, rounds=1)
    assert states(endpoint_of(first)) == [(1, "live", 0), (2, "ready", 10_000)]
    run(node, run_jobs)
    assert states(endpoint_of(first)) == [(1, "warm", 0), (2, "live", 10_000)]
    first.refresh_from_db()
    assert first.state == "superseded"


def test_the_shift_waits_until_the_node_applies_the_weight(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    release_one(world, node, run_jobs)
    second = world.request("development")
    run_jobs("control")
    new = Revision.objects.get(release=second.pk)
    node.frozen_weights[new.pk] = 0
    run(node, run_jobs)
    assert Rollout.objects.get(release=second).state == "shifting"
    node.frozen_weights.clear()
    run(node, run_jobs)
    assert Rollout.objects.get(release=second).state == "done"


def test_a_rollback_to_a_warm_revision_shifts_at_once_and_needs_no_approval(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    second = release_one(world, node, run_jobs)
    endpoint = endpoint_of(first)
    rollout = actions.rollback(endpoint, reason="worse answers", actor=world.otto)
    run_jobs("control")
    assert states(endpoint) == [(1, "ready", 10_000), (2, "live", 0)]
    run(node, run_jobs)
    rollout.refresh_from_db()
    assert (rollout.state, rollout.kind) == ("done", "rollback")
    assert states(endpoint) == [(1, "live", 10_000), (2, "stopped", 0)]
    for release, state in ((first, "live"), (second, "rolled_back")):
        release.refresh_from_db()
        assert release.state == state
    assert kinds(rollout.pk)[0] == "rollout.rollback_started.v1"


def test_a_rollback_to_a_stopped_revision_starts_it_first(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    plan = {"keep_warm_seconds": 0}
    for _ in range(2):
        release = world.request("development", plan=plan)
        run(node, run_jobs)
    endpoint = endpoint_of(release)
    assert states(endpoint) == [(1, "stopped", 0), (2, "live", 10_000)]
    old = Revision.objects.get(endpoint=endpoint, number=1)
    node.phase[old.pk] = ("starting", "")
    actions.rollback(endpoint, actor=world.otto)
    run(node, run_jobs, rounds=2)
    assert states(endpoint) == [(1, "starting", 0), (2, "live", 10_000)]
    node.phase.clear()
    run(node, run_jobs)
    assert states(endpoint) == [(1, "live", 10_000), (2, "stopped", 0)]


def test_a_rollback_goes_to_the_former_revision_that_is_named(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    releases = [release_one(world, node, run_jobs) for _ in range(3)]
    endpoint = endpoint_of(releases[0])
    page = factories.browser(world.people["Otto"])
    assert '<option value="1">1: ' in page.get(f"/endpoints/{endpoint.pk}/").content.decode()
    for wrong in (3, 9):  # what is live, what never was
        with pytest.raises(NothingToRollBackTo, match=f"Revision {wrong} is none of the last 5"):
            actions.rollback(endpoint, number=wrong, actor=world.otto)
    path = f"/api/v1/endpoints/{endpoint.pk}/rollback"
    answer = factories.api(world.people["Otto"]).post(path, {"reason": "worse", "revision": 1})
    assert answer.status_code == 202
    run(node, run_jobs)
    assert states(endpoint)[0] == (1, "live", 10_000)
    for release, state in zip(releases, ("live", "superseded", "rolled_back"), strict=True):
        release.refresh_from_db()
        assert release.state == state


def test_while_a_release_goes_out_a_rollback_to_what_serves_aborts_it_and_no_other_is_taken(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first, _ = [release_one(world, node, run_jobs) for _ in range(2)]
    world.request("development", plan={"strategy": "blue_green"})
    run(node, run_jobs)
    endpoint = endpoint_of(first)
    with pytest.raises(RolloutOpen):
        actions.rollback(endpoint, number=1, actor=world.otto)
    aborted = actions.rollback(endpoint, number=2, reason="x", actor=world.otto)
    assert (aborted.kind, aborted.state) == ("release", "aborting")


def test_a_rollback_goes_past_a_release_that_was_rolled_back(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    release_one(world, node, run_jobs)
    actions.rollback(endpoint_of(first), actor=world.otto)
    run(node, run_jobs)
    release_one(world, node, run_jobs)
    actions.rollback(endpoint_of(first), actor=world.otto)
    run(node, run_jobs)
    assert states(endpoint_of(first))[0] == (1, "live", 10_000)
    with pytest.raises(NothingToRollBackTo):
        actions.rollback(endpoint_of(first), actor=world.otto)


def test_a_release_whose_right_to_start_has_ended_can_still_be_rolled_back_to(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    release_one(world, node, run_jobs)
    import time_machine as machine

    with machine.travel(first.not_after.replace(year=first.not_after.year + 1), tick=True):
        rollout = actions.rollback(endpoint_of(first), actor=world.otto)
    assert rollout.to_revision.number == 1


def test_a_revision_that_the_node_refuses_fails_and_leaves_the_old_one_alone(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    second = world.request("development")
    run_jobs("control")
    new = Revision.objects.get(release=second.pk)
    node.phase[new.pk] = ("refused", "the permit is for another bento_digest")
    run(node, run_jobs)
    assert states(endpoint_of(first)) == [(1, "live", 10_000), (2, "failed", 0)]
    second.refresh_from_db()
    assert second.state == "failed"
    assert Rollout.objects.get(release=second).reason == (
        "The node refused it: the permit is for another bento_digest"
    )
    assert "revision.refused.v1" in kinds(new.pk)


def test_a_revision_that_is_never_ready_fails_at_its_deadline(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    second = world.request("development", plan={"ready_timeout_seconds": 10})
    run_jobs("control")
    rollout = Rollout.objects.get(release=second)
    node.phase[rollout.to_revision_id] = ("starting", "still importing")
    run(node, run_jobs, rounds=2)
    Rollout.objects.filter(pk=rollout.pk).update(deadline=rollout.created_at)
    run(node, run_jobs, rounds=2)
    rollout.refresh_from_db()
    assert rollout.state == "failed"
    assert "It was not ready in time: 0 of 1 replicas answered." in rollout.reason
    assert states(endpoint_of(first)) == [(1, "live", 10_000), (2, "failed", 0)]


def test_one_that_fails_while_requests_move_gives_them_all_back(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    second = world.request("development")
    run(node, run_jobs, rounds=1)
    new = Revision.objects.get(release=second.pk)
    node.frozen_weights[new.pk] = 0
    run(node, run_jobs, rounds=2)
    assert Rollout.objects.get(release=second).state == "shifting"
    node.phase[new.pk] = ("failed", "killed: out of memory")
    run(node, run_jobs)
    assert Rollout.objects.get(release=second).state == "failed"
    assert states(endpoint_of(first)) == [(1, "live", 10_000), (2, "failed", 0)]


def test_an_operator_aborts_a_rollout_that_starts(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    second = world.request("development")
    run_jobs("control")
    rollout = Rollout.objects.get(release=second)
    node.phase[rollout.to_revision_id] = ("starting", "")
    run(node, run_jobs, rounds=1)
    actions.abort(rollout, reason="wrong version", actor=world.otto)
    run(node, run_jobs)
    rollout.refresh_from_db()
    assert (rollout.state, rollout.reason) == ("aborted", "wrong version")
    assert states(endpoint_of(first)) == [(1, "live", 10_000), (2, "stopped", 0)]
    second.refresh_from_db()
    assert second.state == "failed"


def test_an_operator_aborts_while_requests_move(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    second = world.request("development")
    run_jobs("control")
    rollout = Rollout.objects.get(release=second)
    node.frozen_weights[rollout.to_revision_id] = 0
    run(node, run_jobs, rounds=3)
    rollout.refresh_from_db()
    actions.abort(rollout, actor=world.otto)
    assert states(endpoint_of(first)) == [(1, "live", 10_000), (2, "ready", 0)]
    run(node, run_jobs)
    assert states(endpoint_of(first)) == [(1, "live", 10_000), (2, "stopped", 0)]
    with pytest.raises(NotAbortable):
        actions.abort(rollout, actor=world.otto)


def test_an_endpoint_is_moved_by_one_rollout_at_a_time(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    release_one(world, node, run_jobs)
    actions.rollback(endpoint_of(first), actor=world.otto)
    with pytest.raises(RolloutOpen):
        actions.rollback(endpoint_of(first), actor=world.otto)


def test_only_an_operator_rolls_back_and_a_stranger_sees_nothing(
    world: World, node: SimulatedNode, run_jobs: RunJobs
) -> None:
    first = release_one(world, node, run_jobs)
    with pytest.raises(Forbidden):
        actions.rollback(endpoint_of(first), actor=world.ada)
    stranger = factories.actor_of(factories.person("Sam Stranger"))
    with pytest.raises(NotFound):
        actions.rollback(endpoint_of(first), actor=stranger)
