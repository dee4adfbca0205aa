"""Rollouts under every order of people, workers and a target that fails, is slow and lies.

A hypothesis state machine drives the real actions and the real reconciler over PostgreSQL. What
must hold after every step is in the invariants; at the end the target behaves, and everything
that is open must come to an end.
"""

import json
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from apps.audit.models import Event
from apps.governance.models import Release
from apps.monitoring.models import MetricWindow
from apps.rollouts import actions, reconciler
from apps.rollouts.models import OPEN_STATES, Look, Rollout
from apps.rollouts.rules import STEPPING, TRANSITIONS
from apps.rollouts.steps import SetWeight
from apps.serving.actions import restart_endpoint, start_endpoint, stop_endpoint
from apps.serving.models import Endpoint, Revision, Target
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import database_now, now
from placet.kernel.problems import Problem
from placet_verify.merkle import leaf_hash
from tests.fake_driver import FakeDriver, TargetDown, installed
from tests.governed import World

POINTS = (
    "rollouts.before_store", "rollouts.after_store", "rollouts.before_command",
    "rollouts.after_command",
)  # fmt: skip

PLANS: list[dict[str, Any]] = [
    {},
    {"strategy": "blue_green"},
    {
        "strategy": "canary",
        "steps": [
            {"set_weight": 0.01}, {"pause": {"duration_seconds": 60}}, {"set_weight": 33.33},
            {"pause": {}}, {"set_weight": 100}, {"pause": {"duration_seconds": 60}},
        ],
    },
    {
        "strategy": "shadow",
        "steps": [
            {"set_mirror": {"percent": 50}},
            {"set_header_route": {"header": "X-Try", "value": "v2"}},
            {"pause": {"duration_seconds": 60}},
        ],
    },
    {
        "strategy": "canary",
        "steps": [
            {"set_weight": 5}, {"analysis": {"metrics": [{"metric": "error_rate"}]}},
            {"set_weight": 50}, {"analysis": {"metrics": [{"metric": "error_rate"}]}},
        ],
    },
]  # fmt: skip
# events of people, and what an analysis said: they come before the state that follows from them
ASKED = {"paused", "resumed", "promoted", "step_skipped", "retried", "analysed"}
STATE_OF = {
    "weight_set": "shifting",
    "copies_set": "shifting",
    "testers_led": "shifting",
    "waiting_for_person": "waiting",
}


class Killed(BaseException):
    """The worker died here."""


class Lease:
    """A lease that nobody takes away."""

    def fence(self) -> None:
        """Hold."""


class Machine(RuleBasedStateMachine):
    """See the module. ``world`` and ``driver`` are shared; each example is rolled back."""

    world: World
    driver: FakeDriver

    @initialize()
    def begin(self) -> None:
        """Start from nothing behind the endpoint, inside a transaction of this example."""
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.driver.__init__()  # type: ignore[misc]
        self.told: Counter[tuple[str, int]] = Counter()
        self.deaths = 0

    # --- people -------------------------------------------------------------------------------

    @rule(keep_warm=st.sampled_from([0, 86_400]), how=st.sampled_from(PLANS))
    def release(self, keep_warm: int, how: dict[str, Any]) -> None:
        """Somebody releases one more version."""
        with Refusals():
            plan = how | {"keep_warm_seconds": keep_warm}
            release = self.world.request("development", plan=plan)
            actions.start_rollout(release, actor=SYSTEM)

    @rule(verb=st.sampled_from(["pause", "resume", "skip", "promote"]), stale=st.booleans())
    def control(self, verb: str, stale: bool) -> None:
        """An operator holds a rollout, goes on, skips or promotes; clicks come twice or late."""
        for rollout in Rollout.objects.filter(state__in=OPEN_STATES):
            shown = {"step": rollout.step - stale} if verb in ("resume", "skip") else {}
            step = rollout.step
            for _ in range(2):
                with Refusals():
                    getattr(actions, verb)(rollout, reason="x", actor=self.world.otto, **shown)
            rollout.refresh_from_db()
            if verb in ("resume", "skip"):
                assert rollout.step <= step + (not stale), "a second click went a step further"

    @rule()
    def retry(self) -> None:
        """An operator tries again what failed last."""
        for rollout in Rollout.objects.filter(state__in=("failed", "aborted")).order_by("-pk")[:1]:
            with Refusals():
                actions.retry(rollout, reason="x", actor=self.world.otto)

    @rule()
    def roll_back(self) -> None:
        """An operator goes back."""
        for endpoint in Endpoint.objects.all():
            with Refusals():
                actions.rollback(endpoint, actor=self.world.otto)

    @precondition(lambda self: Rollout.objects.filter(state__in=OPEN_STATES).exists())
    @rule()
    def abort(self) -> None:
        """An operator aborts."""
        for rollout in Rollout.objects.filter(state__in=OPEN_STATES):
            with Refusals():
                actions.abort(rollout, actor=self.world.otto)

    @rule(verb=st.sampled_from([stop_endpoint, start_endpoint, restart_endpoint]))
    def operate(self, verb: Any) -> None:
        """An operator does something else meanwhile."""
        for endpoint in Endpoint.objects.all():
            with Refusals():
                verb(endpoint, actor=self.world.otto)

    # --- workers ------------------------------------------------------------------------------

    @rule(passes=st.integers(1, 3))
    def reconcile(self, passes: int) -> None:
        """A worker passes over every rollout."""
        for _ in range(passes):
            self.pass_over()

    @rule()
    def two_reconcilers(self) -> None:
        """A second worker comes along while the first one's command is on its way."""
        self.driver.meanwhile = self.pass_over
        self.pass_over()
        self.driver.meanwhile = None
        assert self.driver.most_at_once <= 1, "two workers commanded at once"

    @rule(point=st.sampled_from(POINTS))
    def a_worker_dies(self, point: str) -> None:
        """A worker is killed somewhere in a pass; its claim runs out."""

        def die(name: str) -> None:
            if name == point:
                raise Killed

        with patch.object(reconciler, "crash_point", die):
            try:
                self.pass_over()
            except Killed:
                self.deaths += 1
        Rollout.objects.exclude(claimed_until=None).update(claimed_until=database_now())

    @rule()
    def settle(self) -> None:
        """The sweep comes round."""
        reconciler.settle(self.target, Lease())

    def pass_over(self) -> None:
        """One pass over every rollout, counting what the driver is told."""
        for rollout in Rollout.objects.order_by("pk"):
            before, told = self.driver.commands, rollout.generation
            wish = (rollout.told_epoch, rollout.told_number)
            seen = self.driver.applied.generation
            try:
                reconciler.one_pass(rollout.pk, Lease())
            except TargetDown:
                continue
            rollout.refresh_from_db()
            ahead = {"shifting", "waiting", "analysing", "draining"}
            if rollout.generation > told and rollout.state in ahead:
                assert seen >= wish, "decided on what was seen before the last command"
            if self.driver.commands > before and rollout.commanded in (told, told + 1):
                self.told[rollout.pk, rollout.commanded] += 1

    # --- the target ---------------------------------------------------------------------------

    @rule()
    def follow(self) -> None:
        """The target does as told."""
        self.driver.follow()

    @rule(down=st.booleans())
    def break_the_connection(self, down: bool) -> None:
        """Commands are refused for a while."""
        self.driver.down = down

    @rule(phase=st.sampled_from(["", "starting", "ready", "failed", "refused", "drained"]))
    def be_stubborn(self, phase: str) -> None:
        """The newest revision stays in one phase, whatever it is told: slow, broken or lying."""
        newest = Revision.objects.order_by("-number").first()
        if newest is None:
            return
        self.driver.stubborn = {newest.pk: phase} if phase else {}

    @rule(what=st.sampled_from(["good", "bad", "few", "gap"]))
    def measure(self, what: str) -> None:
        """The target counts many requests, or a few, or says that some are missing."""
        for rollout in Rollout.objects.filter(state="analysing").select_related("to_revision"):
            share = rollout.to_revision.weight
            every = 1 if what == "few" else 10
            for revision, count in (
                (rollout.to_revision_id, share * every),
                (rollout.from_revision_id, (10_000 - share) * every),
            ):
                errors = count // 5 if (what, revision) == ("bad", rollout.to_revision_id) else 0
                MetricWindow.objects.create(
                    node="nod_x", revision=revision, started_at=now(), seconds=0.001,
                    status_2xx=count - errors, status_5xx=errors,
                    latency={"100": count, "inf": 0}, error="lost" if what == "gap" else "",
                )  # fmt: skip

    @rule()
    def run_other_bytes(self) -> None:
        """The target runs something else under the newest revision's name."""
        newest = Revision.objects.order_by("-number").first()
        if newest is not None:
            self.driver.other_bytes ^= {newest.pk}

    @rule()
    def time_passes(self) -> None:
        """Deadlines come."""
        Rollout.objects.filter(state__in=OPEN_STATES).update(deadline=now())
        Revision.objects.exclude(warm_until=None).update(warm_until=now())
        self.let_pauses_end()

    def let_pauses_end(self) -> None:
        """Have every pause and analysis of a plan begun long ago."""
        for rollout in Rollout.objects.filter(state__in=("waiting", "analysing")):
            times = rollout.phase_times | {rollout.state: "2026-01-01T00:00:00Z"}
            Rollout.objects.filter(pk=rollout.pk).update(phase_times=times)
        Look.objects.update(at=F("at") - timedelta(days=10))

    # --- what always holds --------------------------------------------------------------------

    @property
    def target(self) -> Target:
        """The only target."""
        return self.world.target

    @invariant()
    def weights_never_exceed_the_whole(self) -> None:
        for endpoint in Endpoint.objects.all():
            weights = dict(endpoint.revisions.values_list("state", "weight"))
            assert sum(endpoint.revisions.values_list("weight", flat=True)) <= 10_000, weights

    @invariant()
    def what_was_live_never_loses_its_requests(self) -> None:
        for endpoint in Endpoint.objects.all():
            if endpoint.revisions.filter(state="live").exists():
                assert sum(endpoint.revisions.values_list("weight", flat=True)) == 10_000

    @invariant()
    def the_old_revision_keeps_its_weight_until_the_new_one_is_ready(self) -> None:
        for rollout in Rollout.objects.filter(state="starting").select_related("to_revision"):
            assert rollout.to_revision.weight == 0
            if rollout.from_revision is not None:
                assert rollout.from_revision.weight == 10_000
                assert rollout.from_revision.state == "live"

    @invariant()
    def every_phase_change_is_allowed_and_logged_once(self) -> None:
        for rollout in Rollout.objects.all():
            kinds = Event.objects.filter(subject=rollout.pk).order_by("index")
            phases = [
                kind.removeprefix("rollout.").removesuffix(".v1")
                for kind in kinds.values_list("kind", flat=True)
            ]
            assert phases[0] in ("started", "rollback_started")
            path = ["starting", *(STATE_OF.get(p, p) for p in phases[1:] if p not in ASKED)]
            assert path[-1] == rollout.state
            assert set(rollout.phase_times) == set(path)
            assert len(path) <= len(rollout.steps) + 3, path
            for before, after in pairwise(path):
                assert after in TRANSITIONS[before], path

    @invariant()
    def nothing_goes_on_after_an_analysis_that_did_not_succeed(self) -> None:
        for rollout in Rollout.objects.all():
            rows = list(Event.objects.filter(subject=rollout.pk).order_by("index"))
            for said, after in pairwise(rows):
                if said.kind == "rollout.analysed.v1":
                    outcome = json.loads(said.body)["data"]["outcome"]
                    assert outcome == "successful" or after.kind == "rollout.aborting.v1", outcome

    @invariant()
    def nothing_gets_more_than_the_steps_that_were_entered_allow(self) -> None:
        for rollout in Rollout.objects.filter(state__in=OPEN_STATES):
            entered = rollout.steps[: rollout.step + 1]
            allowed = max((s.weight for s in entered if isinstance(s, SetWeight)), default=0)
            assert rollout.to_revision.weight <= allowed, (rollout.step, rollout.steps)

    @invariant()
    def no_generation_is_told_twice_by_the_living(self) -> None:
        twice = sum(count - 1 for count in self.told.values())
        assert twice <= self.deaths, self.told

    @invariant()
    def releases_agree_with_what_serves(self) -> None:
        live = set(Revision.objects.filter(state="live").values_list("release", flat=True))
        assert live == set(Release.objects.filter(state="live").values_list("pk", flat=True))

    @invariant()
    def the_log_verifies(self) -> None:
        rows = list(Event.objects.order_by("index"))
        assert [row.index for row in rows] == list(range(len(rows)))
        newest = rows[-20:]
        assert all(bytes(row.leaf_hash) == leaf_hash(row.body.encode()) for row in newest)

    def teardown(self) -> None:
        """Let the target behave: everything open ends, and what is live has every request."""
        if not hasattr(self, "atomic"):
            return
        try:
            self.come_to_rest()
        finally:
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    def come_to_rest(self) -> None:
        """See :meth:`teardown`."""
        self.driver.down, self.driver.stubborn = False, {}
        self.driver.other_bytes.clear()
        self.operate(start_endpoint)
        Rollout.objects.exclude(claimed_until=None).update(claimed_until=database_now())
        for _ in range(16):
            self.let_pauses_end()
            self.measure("good")
            for rollout in Rollout.objects.filter(state__in=STEPPING):
                with Refusals():
                    actions.resume(rollout, step=rollout.step, reason="x", actor=self.world.otto)
            for rollout in Rollout.objects.all():
                reconciler.reconcile(rollout.pk, Lease())
            self.driver.apply(self.target)
            self.driver.follow()
            reconciler.settle(self.target, Lease())
        assert not Rollout.objects.filter(state__in=OPEN_STATES).exists()
        assert not Release.objects.filter(state="rolling_out").exists()
        left = set(Revision.objects.values_list("state", flat=True))
        assert left <= {"live", "warm", "stopped", "failed"}, left
        self.what_was_live_never_loses_its_requests()


class Refusals:
    """Lets an action refuse, undoing what it had begun, as a request would."""

    def __enter__(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        self.atomic.__exit__(kind, error, trace)
        return isinstance(error, Problem)


@pytest.mark.django_db
def test_rollouts_keep_their_promises_in_any_order() -> None:
    """Run the machine."""
    with installed() as driver:
        Target.objects.create(
            name="local", driver="fake", capacity_mb=1 << 20, labels={"default": "true"}
        )
        Machine.world, Machine.driver = World(), driver
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=40,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
