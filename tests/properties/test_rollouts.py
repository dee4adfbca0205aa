"""Rollouts under every order of people, workers and a target that fails, is slow and lies.

A hypothesis state machine drives the real actions, the real jobs and the real reconciler over
PostgreSQL, kills them at their crash points, and moves the clock. What must hold after every step
is in ``machine.promises``; at the end the target behaves, and everything that is open must come to
an end. ``make prove`` draws 500 runs.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from apps.governance.models import Release
from apps.rollouts import actions, queries, reconciler
from apps.rollouts.models import Drill, Rollout
from apps.rollouts.queries import UNFINISHED
from apps.rollouts.rules import OPEN_STATES, STEPPING
from apps.serving.actions import start_endpoint
from apps.serving.models import Endpoint, Node, Revision, Target
from placet.kernel.clock import now
from placet_verify.units import WHOLE
from tests.properties.machine.parts import DRILLING, STARTING, Lease
from tests.properties.machine.people import UNDER_WAY, People
from tests.properties.machine.promises import Promises
from tests.properties.machine.surroundings import Surroundings
from tests.properties.machine.workers import Workers
from tests.support.driver import installed
from tests.support.scaled import ASKED
from tests.support.world import World

PROVING = hypothesis.settings.default.max_examples > 100
ROUNDS = 12  # until one rollout has ended


class Machine(People, Workers, Surroundings, Promises):
    """See the module."""

    drills: ClassVar[Counter[str]] = Counter()  # by what came of them

    @initialize(
        fuse=st.integers(0, 40),
        served=st.sampled_from([0, 2]),
        serving=st.sampled_from([{}, ASKED]),
    )
    def begin(self, fuse: int, served: int, serving: dict[str, Any]) -> None:
        """Start with nothing behind the endpoint, or with one that may be gone back to."""
        self.open()
        for _ in range(served):
            self.world.request("development", serving=serving)
            while self.unfinished():
                self.go_round()
        self.fuse = fuse

    def teardown(self) -> None:
        """Let the target behave: everything open ends, and what is live has every request."""
        if not self.begun:
            return
        with self.left:
            self.come_to_rest()

    def come_to_rest(self) -> None:
        """See :meth:`teardown`."""
        self.fuse, self.doom = None, ""
        self.driver.down, self.driver.alive, self.driver.stubborn = False, True, {}
        self.driver.other_bytes.clear()
        self.driver.room = 64
        self.operate(start_endpoint)
        self.driver.apply(self.target)
        self.claims_run_out()
        under_way = Release.objects.filter(state__in=UNDER_WAY).count()
        for _ in range(ROUNDS * (1 + under_way)):
            if not self.unfinished():
                break
            self.go_round()
        assert not self.unfinished(), "stuck"
        self.driver.follow()
        self.be_at_rest()

    def unfinished(self) -> bool:
        """Tell whether something is still to be done."""
        waiting = Release.objects.filter(state="approved", not_after__gt=now())
        return (
            Rollout.objects.filter(UNFINISHED).exists()
            or Revision.objects.filter(state="draining").exists()
            or Drill.objects.filter(state="running").exists()
            or any(actions.take_turn(release) != "never" for release in waiting)
        )

    def go_round(self) -> None:
        """An hour in which everybody does what is theirs once."""
        self.let_pass(3601)
        self.measure("good")
        for rollout in Rollout.objects.filter(state__in=STEPPING):
            with self.process():
                actions.resume(rollout, step=rollout.step, reason="x", actor=self.world.otto)
        self.start_what_is_approved()
        for _ in range(2):
            for rollout in Rollout.objects.all():
                reconciler.reconcile(rollout.pk, Lease())
            self.driver.apply(self.target)
            self.driver.follow()
        reconciler.look_after(self.target, Lease())
        for drill in queries.drills_under_way():
            actions.finish_drill(drill)

    def be_at_rest(self) -> None:
        """One revision is live and is what the target serves, and nothing is left over."""
        assert not Rollout.objects.filter(state__in=OPEN_STATES).exists()
        assert not Release.objects.filter(state="rolling_out").exists()
        self.drills.update(Drill.objects.values_list("state", flat=True))
        left = set(Revision.objects.values_list("state", flat=True))
        assert left <= {"live", "warm", "stopped", "failed"}, left
        self.what_was_live_never_loses_its_requests()
        for endpoint in Endpoint.objects.filter(rollouts__state="done").distinct():
            live = endpoint.revisions.get(state="live")
            serving = {pk: row.weight for pk, row in self.driver.running.items() if row.weight}
            assert serving == {live.pk: WHOLE}


@pytest.fixture
def prepared(db: None) -> Iterator[None]:
    """What all examples share: a target that lies, a node on it, and a world."""
    with installed() as driver:
        target = Target.objects.create(
            name="local", driver="fake", capacity_mb=1 << 20, labels={"default": "true"}
        )
        Machine.world, Machine.driver, Machine.died_at = World(), driver, Counter()
        Machine.node = Node.objects.create(target=target, public_key="x")
        yield


def test_rollouts_keep_their_promises_in_any_order(prepared: None) -> None:
    """Run the machine."""
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=500 if PROVING else 12,
            stateful_step_count=40 if PROVING else 25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{sum(Machine.died_at.values())} deaths at {len(Machine.died_at)} crash points")
    print(f"drills: {dict(Machine.drills)}")
    if PROVING:
        assert set(Machine.drills) == {"passed", "failed", "skipped"}


def test_what_finds_no_room_pauses_by_itself_and_ends_once_it_does(prepared: None) -> None:
    """Chance seldom comes there: it takes load, a lack of room, and time."""
    found = Machine()
    found.begin(fuse=40, served=2, serving=ASKED)
    found.fuse, found.driver.room = None, 1
    moves = [
        partial(found.release, keep_warm=86_400, how={}, busy="wait", serving=ASKED),
        partial(found.start_and_go_on, point=""),
        partial(found.take_turns, turns=2),
        partial(found.let_pass, 700),
        partial(found.take_turns, turns=2),
    ]
    try:
        for move in moves:
            move()
            for promise in found.invariants:
                promise.function(found)
        paused = Rollout.objects.get(paused_by="system")
        assert (paused.state, paused.to_revision.weight) == ("shifting", 0)
        found.come_to_rest()
        paused.refresh_from_db()
        assert paused.state == "done"
    finally:
        found.left.close()


@pytest.mark.parametrize("point", [*STARTING, *DRILLING])
def test_whoever_dies_at_a_point_leaves_the_rest_to_the_next(prepared: None, point: str) -> None:
    """Chance comes to some points in one example of many: here somebody dies at each."""
    found = Machine()
    found.begin(fuse=40, served=2, serving={})
    found.fuse = None  # nobody dies anywhere else
    moves = [partial(found.drill, turns=4, point=point if point in DRILLING else "")]
    if point in STARTING or "skipped" in point:
        moves += [
            partial(found.release, keep_warm=86_400, how={}, busy="wait", serving={}),
            partial(found.start_and_go_on, point=point if point in STARTING else ""),
        ]
    if "skipped" in point:  # a release is on its way when the next one is due
        moves += [partial(found.sweep_drills, on_time=True, point=point)]
    try:
        for move in (*moves, found.claims_run_out):
            move()
            for promise in found.invariants:
                promise.function(found)
        found.teardown()
    finally:
        found.left.close()
    assert Machine.died_at[point] == 1
