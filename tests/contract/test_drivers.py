"""What every driver keeps: four verbs that may be repeated, one of them the read-back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from apps.builds.models import Runtime
from apps.rollouts.actions import start_rollout
from apps.serving.actions import set_revision
from apps.serving.drivers.base import Driver, StateGeneration
from apps.serving.drivers.kinds import driver_for
from apps.serving.models import Node, Revision, Target
from apps.serving.rules import serving_config
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from tests.support.driver import installed
from tests.support.nodes import PLATFORM, SimulatedNode
from tests.support.world import World

pytestmark = pytest.mark.django_db


@dataclass
class Place:
    """A target with its driver, and ways to let it do as told, to silence it and to take from it
    what keeps replicas apart."""

    target: Target
    follow: Callable[[], None]
    silence: Callable[[], None]
    lay_bare: Callable[[], None]

    @property
    def driver(self) -> Driver:
        """The driver under test."""
        return driver_for(self.target)


def node_place() -> Iterator[Place]:
    """A real target with a simulated node behind the real HTTP views."""
    target = Target.objects.create(
        name="local", driver="node", capacity_mb=4096, labels={"default": "true"}
    )
    node = SimulatedNode.joined(target)
    node.report()

    def silence() -> None:
        Node.objects.filter(pk=node.id).update(last_report_at=now() - timedelta(seconds=16))

    def lay_bare() -> None:
        able = [name for name in PLATFORM["features"] if name != "apart"]
        node.upgraded(isolation="none", features=able)

    yield Place(target, node.step, silence, lay_bare)


def fake_place() -> Iterator[Place]:
    """A dictionary."""
    with installed() as driver:
        target = Target.objects.create(
            name="local", driver="fake", capacity_mb=4096, labels={"default": "true"}
        )

        def silence() -> None:
            driver.alive = False

        def lay_bare() -> None:
            driver.bare = True

        yield Place(target, driver.follow, silence, lay_bare)


@pytest.fixture(params=[node_place, fake_place], ids=["node", "fake"], autouse=True)
def place(request: pytest.FixtureRequest, db: None) -> Iterator[Place]:
    """Each kind of target in turn: it is there before the world, whose environments use it."""
    yield from request.param()


@pytest.fixture
def revision(world: World) -> Revision:
    """A revision that is wanted on the place."""
    rollout = start_rollout(world.request("development"), actor=SYSTEM)
    return rollout.to_revision


def test_a_driver_finds_nothing_against_what_fits(place: Place, world: World) -> None:
    bento = world.bento(world.version())
    assert place.driver.validate(place.target, bento, serving_config({})) == []


def test_a_driver_says_which_python_is_missing(place: Place, world: World) -> None:
    bento = world.bento(world.version())
    Runtime.objects.filter(pk=bento.runtime_id).update(python_version="3.9")
    bento.refresh_from_db()
    (problem,) = place.driver.validate(place.target, bento, serving_config({}))
    assert "Python 3.9" in problem


def test_a_driver_says_that_the_target_keeps_nothing_apart(place: Place, world: World) -> None:
    bento = world.bento(world.version())
    apart = serving_config({"egress": []})
    assert place.driver.validate(place.target, bento, apart) == []
    place.lay_bare()
    (problem,) = place.driver.validate(place.target, bento, apart)
    assert "cannot keep apart what runs on it" in problem


def test_a_driver_says_that_the_target_is_silent(place: Place, world: World) -> None:
    place.silence()
    bento = world.bento(world.version())
    assert "heard of" in place.driver.validate(place.target, bento, serving_config({}))[0]
    assert not place.driver.observe(place.target).alive


def test_observing_a_target_that_was_told_nothing_finds_nothing(place: Place) -> None:
    seen = place.driver.observe(place.target)
    assert seen.applied == StateGeneration(0, 0)
    assert seen.revisions == {}


def test_applying_twice_is_applying_once(place: Place, revision: Revision) -> None:
    assert place.driver.apply(place.target) == place.driver.apply(place.target)


def test_what_was_applied_is_seen_after_the_target_did_it_and_not_before(
    place: Place, revision: Revision
) -> None:
    receipt = place.driver.apply(place.target)
    assert not place.driver.observe(place.target).has_seen(receipt)
    place.follow()
    seen = place.driver.observe(place.target)
    assert seen.has_seen(receipt)
    row = seen.revisions[revision.pk]
    assert (row.phase, row.ready_replicas, row.weight) == ("ready", 1, 0)
    assert row.bento_digest == revision.bento_id


def test_another_wish_has_another_receipt(place: Place, revision: Revision) -> None:
    before = place.driver.apply(place.target)
    place.follow()
    set_revision(revision, state="ready", weight=10_000, actor=SYSTEM)
    after = place.driver.apply(place.target)
    assert after.generation > before.generation
    assert not place.driver.observe(place.target).has_seen(after)
    place.follow()
    row = place.driver.observe(place.target).revisions[revision.pk]
    assert (row.phase, row.weight) == ("serving", 10_000)


def test_a_revision_that_drains_says_when_it_is_done(place: Place, revision: Revision) -> None:
    set_revision(revision, state="ready", actor=SYSTEM)
    set_revision(revision, state="draining", actor=SYSTEM)
    place.driver.apply(place.target)
    place.follow()
    assert place.driver.observe(place.target).revisions[revision.pk].phase == "drained"


def test_what_was_removed_is_gone_and_removing_it_again_changes_nothing(
    place: Place, revision: Revision
) -> None:
    place.driver.apply(place.target)
    place.follow()
    set_revision(revision, state="stopped", actor=SYSTEM)
    receipt = place.driver.remove(revision)
    assert place.driver.remove(revision) == receipt
    place.follow()
    seen = place.driver.observe(place.target)
    assert seen.has_seen(receipt)
    assert revision.pk not in seen.revisions


def test_a_silent_target_is_still_remembered(place: Place, revision: Revision) -> None:
    place.driver.apply(place.target)
    place.follow()
    place.silence()
    seen = place.driver.observe(place.target)
    assert not seen.alive
    assert revision.pk in seen.revisions
