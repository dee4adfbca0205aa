"""What workers do: they start what is approved and move it on, two at a time, and are killed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from apps.audit.models import Event
from apps.governance.models import Release
from apps.governance.plan import Analysis
from apps.monitoring.models import MetricWindow
from apps.rollouts import actions, queries, reconciler
from apps.rollouts.analysis.records import CLOCK_SLACK
from apps.rollouts.analysis.verdicts import FRESH
from apps.rollouts.models import Drill, DrillSchedule, Rollout
from apps.serving.models import Endpoint, Revision
from placet.kernel.clock import database_now, now
from tests.crashes.points import around
from tests.properties.machine.parts import DRILLING, STARTING, Lease, Parts
from tests.properties.machine.promises import data_of
from workers.tasks import rollouts as tasks

AHEAD = {"shifting", "waiting", "analysing", "draining"}
A_PASS = timedelta(seconds=30)  # more than one takes on a busy machine


class Workers(Parts):
    """See the module."""

    @rule(after=st.integers(0, 6))
    def one_will_be_killed(self, after: int) -> None:
        """Whoever passes the crash point after so many others dies there: worker or web."""
        self.fuse = after

    @rule()
    def claims_run_out(self) -> None:
        """What somebody claimed who died is free again."""
        Rollout.objects.exclude(claimed_until=None).update(claimed_until=database_now())

    @rule(point=st.sampled_from(["", *STARTING]))
    def start_and_go_on(self, point: str) -> None:
        """A worker starts what is approved and moves it on; it may die at a certain point."""
        self.doom = point
        self.start_what_is_approved()
        self.go_on_undisturbed(2)  # the first tells the target, the second stores what follows
        self.doom = ""

    @rule()
    def start_what_is_approved(self) -> None:
        """A worker starts each approved release whose turn it is."""
        for release in Release.objects.filter(state="approved").order_by("number"):
            with self.process():
                tasks.start(cast(Any, Lease(release=release.pk)))

    @rule(passes=st.integers(1, 3))
    def reconcile(self, passes: int) -> None:
        """A worker passes over every rollout."""
        for _ in range(passes):
            self.pass_over()

    @precondition(lambda self: Revision.objects.filter(state="warm").exists())
    @rule(turns=st.sampled_from([0, 4]), point=st.sampled_from(["", *DRILLING]))
    def drill(self, turns: int, point: str) -> None:
        """An operator rehearses a rollback, and has that come round from now on. It may come to
        its end before anything else happens, and somebody may be killed on its way."""
        self.doom = point
        for endpoint in Endpoint.objects.all():
            with self.process():
                actions.run_drill(endpoint, actor=self.world.otto)
            with self.process():
                actions.schedule_drills(endpoint, every_days=1, hour=3, actor=self.world.otto)
        if turns:
            self.go_on_undisturbed(turns)
            self.let_pass(30)  # until the node's counts are in
            self.sweep()
        self.doom = ""

    @rule(turns=st.integers(2, 5))
    def take_turns(self, turns: int) -> None:
        """A worker and the target are left alone for a moment."""
        self.go_on_undisturbed(turns)

    def go_on_undisturbed(self, turns: int) -> None:
        """A worker and the target take turns for a moment."""
        for _ in range(turns):
            self.pass_over()
            self.driver.follow()

    @rule()
    def two_reconcilers(self) -> None:
        """A second worker takes up the same rollout while the first one's command is on its way.

        Two rollouts may command at once: one that has ended, and the next.
        """
        for rollout in Rollout.objects.order_by("pk"):
            self.driver.most_at_once = 0
            self.driver.meanwhile = partial(self.pass_over, rollout.pk)
            self.pass_over(rollout.pk)
            self.driver.meanwhile = None
            assert self.driver.most_at_once <= 1, "two workers commanded at once"

    @precondition(lambda self: Rollout.objects.exists())
    @rule()
    def settle(self) -> None:
        """The sweep comes round."""
        with self.process():
            reconciler.look_after(self.target, Lease())

    @precondition(lambda self: DrillSchedule.objects.exists() or Drill.objects.exists())
    @rule(on_time=st.booleans(), point=st.sampled_from(["", *DRILLING]))
    def sweep_drills(self, on_time: bool, point: str) -> None:
        """Another sweep comes round: when a drill is planned, or at any time."""
        self.doom = point
        planned = DrillSchedule.objects.first()
        if on_time and planned is not None and planned.next_at > now():
            self.let_pass(int((planned.next_at - now()).total_seconds()) + 1)
        self.sweep()
        self.doom = ""

    @precondition(lambda self: Drill.objects.filter(state="running").exists())
    @rule(point=st.sampled_from(["", *around("drill.finished")]))
    def come_to_the_end_of_a_drill(self, point: str) -> None:
        """A drill that is under way goes all its way, and who writes that down may be killed."""
        self.go_on_undisturbed(4)
        self.let_pass(30)  # until the node's counts are in
        self.doom = point
        self.sweep()
        self.doom = ""

    def sweep(self) -> None:
        """A worker starts the drills that are due, and writes down those that have ended."""
        with self.process():
            tasks.drills(cast(Any, Lease()))
            assert not queries.drills_due(), "a drill that was due is due still"

    def pass_over(self, only: str = "") -> None:
        """One pass over every rollout (or ``only`` one), counting what the driver is told."""
        rollouts = Rollout.objects.order_by("pk")
        for rollout in rollouts.filter(pk=only) if only else rollouts:
            with self.process():
                self.pass_once(rollout)

    def pass_once(self, rollout: Rollout) -> None:
        """One pass over ``rollout``, and what it must rest on."""
        before, told = self.driver.commands, rollout.generation
        wish = (rollout.told_epoch, rollout.told_number)
        seen = self.driver.applied.generation
        place, entered = rollout.step, rollout.phase_times.get("analysing", "")
        verdicts = Event.objects.filter(subject=rollout.pk, kind="rollout.analysed.v1")
        judged = verdicts.count()
        reconciler.one_pass(rollout.pk, Lease())
        rollout.refresh_from_db()
        if rollout.generation > told and rollout.state in AHEAD:
            assert seen >= wish, "decided on what was seen before the last command"
        if self.driver.commands > before and rollout.commanded in (told, told + 1):
            self.told[rollout.pk, rollout.commanded] += 1
        if rollout.state in AHEAD and verdicts.count() > judged:
            said = data_of(verdicts.order_by("-index")[0])
            self.check_passed(rollout, place, datetime.fromisoformat(entered), said)

    def check_passed(
        self, rollout: Rollout, place: int, entered: datetime, said: Mapping[str, Any]
    ) -> None:
        """An analysis was passed: on figures that are there, whole and fresh, and no others."""
        step = rollout.steps[place]
        assert isinstance(step, Analysis)
        if said["outcome"] != "successful":
            assert (said["outcome"], step.on_inconclusive) == ("inconclusive", "pass")
            assert now() >= entered + timedelta(seconds=step.timeout_seconds)
            return
        both = (rollout.to_revision_id, rollout.from_revision_id)
        rows = MetricWindow.objects.filter(revision__in=both, started_at__gte=entered)
        windows = list(rows.order_by("started_at"))
        assert not self.useless & {row.pk for row in windows}, "passed on what cannot be judged"
        mine = sum(self.counted[row.pk] for row in windows if row.revision == both[0])
        assert said["new_requests"] == mine > 0, "passed on other counts than were reported"
        ends = [row.started_at + timedelta(seconds=row.seconds) for row in windows]
        assert -CLOCK_SLACK < now() - max(ends) < FRESH + A_PASS, "passed on old figures"
