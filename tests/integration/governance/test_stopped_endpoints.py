"""While its endpoint is stopped a release soaks nothing: not live, not retired, not anew."""

from datetime import timedelta

import pytest

from apps.audit.models import Event
from apps.builds.models import Bento
from apps.governance import actions
from apps.governance.models import Release
from apps.serving.actions import delete_endpoint, start_endpoint, stop_endpoint
from apps.serving.models import Endpoint
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.integration.governance.test_life_cycle import gate
from tests.support.world import World

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def bento(world: World) -> Bento:
    """A Bento that became live in staging two hours ago."""
    made = world.bento(world.version())
    world.soaked(made, seconds=7200)
    return made


def staged() -> Release:
    """Return what is or was live in staging, as it is now."""
    return Release.objects.select_related("endpoint").get(environment__name="staging")


def stop(world: World, after: timedelta | None) -> Release:
    """Stop the endpoint in staging, so long after the release became live; or at a time that was
    not written down."""
    release = staged()
    stop_endpoint(release.endpoint, actor=world.otto)
    assert release.live_at is not None
    Endpoint.objects.filter(pk=release.endpoint_id).update(
        stopped_at=release.live_at + after if after is not None else None
    )
    return staged()


def delete(world: World) -> Release:
    """Delete the endpoint in staging."""
    endpoint = staged().endpoint
    delete_endpoint(endpoint, if_generation=endpoint.generation, actor=world.otto)
    return staged()


def soaked(world: World, bento: Bento) -> tuple[str, str]:
    """Return what the gate says of a release of ``bento`` to production."""
    found = gate(world.request("production", bento), "soaked")
    return found["state"], found["reason"]


def test_a_stopped_endpoint_soaks_no_further(world: World, bento: Bento) -> None:
    stop(world, 10 * MINUTE)
    assert soaked(world, bento) == ("failed", "Live in staging for 10 min, not long enough")


def test_what_soaked_before_the_stop_counts(world: World, bento: Bento) -> None:
    stop(world, 61 * MINUTE)
    assert soaked(world, bento) == ("passed", "Live in staging for 1 h 1 min")


def test_a_retired_release_served_until_its_endpoint_was_stopped(
    world: World, bento: Bento
) -> None:
    stopped_at = stop(world, 10 * MINUTE).endpoint.stopped_at
    gone = delete(world)
    assert (gone.state, gone.ended_at) == ("retired", stopped_at)
    assert gone.ended_reason == "Its endpoint was deleted"
    assert soaked(world, bento) == ("failed", "Live in staging for 10 min, not long enough")


def test_a_started_endpoint_soaks_anew_and_the_log_says_so(world: World, bento: Bento) -> None:
    before = stop(world, 61 * MINUTE)
    start_endpoint(before.endpoint, actor=world.otto)
    again = staged()
    assert (again.state, again.endpoint.stopped_at) == ("live", None)
    assert again.live_at is not None
    assert now() - again.live_at < MINUTE
    said = Event.objects.filter(subject=again.pk).order_by("index").last()
    assert said is not None
    assert (said.kind, said.actor_id) == ("release.restored.v1", world.otto.id)
    state, reason = soaked(world, bento)
    assert (state, reason[:18]) == ("waiting", "Live in staging fo")


@pytest.mark.parametrize("deleted", [False, True])
def test_a_stop_before_its_time_was_written_down_leaves_nothing_soaked(
    world: World, bento: Bento, deleted: bool
) -> None:
    stop(world, None)
    if deleted:
        gone = delete(world)
        assert gone.ended_at == gone.live_at
        assert gone.ended_reason.endswith("since when it had been stopped is not known")
    assert soaked(world, bento) == ("failed", "Live in staging for 0 s, not long enough")


def test_one_that_the_release_before_started_again_ends_where_it_was_stopped(
    world: World, bento: Bento
) -> None:
    stop(world, 10 * MINUTE)
    Endpoint.objects.filter(pk=staged().endpoint_id).update(state="active")
    assert soaked(world, bento) == ("failed", "Live in staging for 10 min, not long enough")


def test_what_becomes_live_behind_a_stopped_endpoint_soaks_from_its_start(
    world: World, bento: Bento
) -> None:
    before = stop(world, 61 * MINUTE)
    other = world.bento(world.version())
    second = world.request("staging", other)
    world.decide(second, world.rex)
    actions.begin_rollout(second, actor=SYSTEM)
    actions.mark_live(second, actor=SYSTEM)
    Release.objects.filter(pk=second.pk).update(live_at=now() - 15 * MINUTE)
    before.refresh_from_db()
    assert (before.state, before.ended_at) == ("superseded", before.endpoint.stopped_at)
    start_endpoint(before.endpoint, actor=world.otto)
    assert soaked(world, bento) == ("passed", "Live in staging for 1 h 1 min")
