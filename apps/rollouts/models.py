"""Rollouts: moving an endpoint from one revision to the next."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from apps.audit.models import Audited
from apps.governance.models import Release
from apps.governance.plan import Plan, Ship, Step
from apps.identity.models import Project
from apps.rollouts.rules import steps_for
from apps.rollouts.states import (
    ENDED_STATES,
    HOLDING,
    PAUSED_AT,
    STEPPING,
    PassingState,
    RolloutKind,
    RolloutState,
)
from apps.rollouts.steps import for_person, judged_index
from apps.serving.models import Endpoint, Revision
from placet.kernel.clock import now
from placet.kernel.ids import IdField
from placet.kernel.states import choices_of
from placet_protocol.guard import GuardEntry


class Rollout(Audited):
    """One move of an endpoint: a release going out, a rollback to the revision before, or a drill:
    a rollback that gives everything back as soon as it is seen to have worked."""

    LOG_SEALED = frozenset({"reason"})
    # the reconciler's own notes: which generation it told the driver, and what came back
    LOG_HIDDEN = frozenset({"commanded", "claimed", "claimed_until", "told_epoch", "told_number"})

    id = IdField("rlo")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="rollouts")
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="rollouts")
    kind = models.CharField(max_length=10)  # a RolloutKind
    from_revision = models.ForeignKey(
        Revision, null=True, on_delete=models.PROTECT, related_name="+"
    )
    to_revision = models.ForeignKey(Revision, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(
        max_length=10, choices=choices_of(RolloutState), default=RolloutState.STARTING
    )
    generation = models.IntegerField(default=0)
    reason = models.TextField(blank=True)  # why it is as it is, in words: the last one given
    started_by = models.CharField(max_length=40)
    aborted_by = models.CharField(max_length=40, blank=True)
    paused_by = models.CharField(max_length=40, blank=True, default="", db_default="")
    promoted_by = models.CharField(max_length=40, blank=True, default="", db_default="")
    step = models.IntegerField(default=-1, db_default=-1)  # of its plan; -1 before the first
    step_times = models.JSONField(default=dict, db_default={})  # index → RFC 3339 time of entry
    deadline = models.DateTimeField()  # by when replicas that are waited for are to be ready
    # state → RFC 3339 time of entry; PAUSED_AT → that of the last pause by a person
    phase_times = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    commanded = models.IntegerField(default=-1)  # the last generation that the driver was told
    claimed = models.IntegerField(default=-1)  # the generation that somebody is telling it now
    claimed_until = models.DateTimeField(null=True, blank=True)
    told_epoch = models.IntegerField(default=0)  # the state that carries the last command
    told_number = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=~Q(state__in=ENDED_STATES),
                name="rollouts_one_open",
            )
        ]

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that it carries out."""
        has_stable = self.from_revision_id is not None
        return steps_for(Plan.stored(self.release.plan), kind=self.kind, has_stable=has_stable)

    @property
    def entered_at(self) -> datetime:
        """When it came into its present state, or its A/B test began that waits to be shipped."""
        text = self.phase_times.get(self.state)
        if self.judged_step not in (None, self.step):
            text = self.step_times.get(str(self.judged_step))
        return datetime.fromisoformat(text) if text else self.created_at

    def ready_by(self, since: datetime) -> datetime:
        """By when replicas are to be ready that are waited for ``since`` that time."""
        seconds = Plan.stored(self.release.plan).ready_timeout_seconds
        return since + timedelta(seconds=seconds)

    @property
    def stands_since(self) -> datetime:
        """Since when it is paused, or else it is in its present state."""
        text = self.phase_times.get(PAUSED_AT) if self.paused_by else None
        return datetime.fromisoformat(text) if text else self.entered_at

    @property
    def judged_step(self) -> int | None:
        """The index of the step whose looks decide what comes next; ``None`` for none."""
        if self.state not in HOLDING:
            return None
        return judged_index(self.steps, self.step)

    @property
    def guard(self) -> GuardEntry:
        """The rules by which its node ends it; none where there is nothing to go back to."""
        moves = self.kind == RolloutKind.RELEASE and self.from_revision_id is not None
        return Plan.stored(self.release.plan).guard_entry if moves else GuardEntry()

    @property
    def waits_for_person(self) -> bool:
        """Tell whether somebody holds it, or its present step waits for a person."""
        step = self.steps[max(self.step, 0)]
        return bool(self.paused_by) or for_person(step, self.state, now() - self.entered_at)

    @property
    def waits_to_ship(self) -> bool:
        """Tell whether an A/B test has shown its effect, and an approval is missing."""
        at_ship = self.state == RolloutState.WAITING and self.steps[self.step] == Ship()
        return at_ship and not self.paused_by

    def environment_scope(self) -> str | None:
        """A rollout belongs to its endpoint's environment."""
        return self.endpoint.environment


class Look(models.Model):
    """What an analysis said at one moment, and all that it rested on.

    Looks are measurements, not decisions: the log repeats only the verdict that decided.
    """

    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="looks")
    step = models.IntegerField()
    at = models.DateTimeField()
    outcome = models.CharField(max_length=12)
    verdict = models.JSONField()  # apps.rollouts.analysis.stored_verdict.KeptVerdict

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rollout", "step", "at"], name="rollouts_look_once")
        ]


class Passing(Audited):
    """Going past analyses of the plan that people signed, by skipping a step or by promoting: who
    did, which analyses and why; or that a second person is asked for it, and what they said.

    Kept for ever, with the rollout. What is asked is open while the rollout is at the same step.
    """

    LOG_SEALED = frozenset({"reason", "answer"})

    id = IdField("pas")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="passings")
    verb = models.CharField(max_length=8)  # skip, promote
    step = models.IntegerField()  # the one at which it was asked for; -1 before the first
    analyses = models.JSONField()  # a list of apps.rollouts.passed.KeptAnalysis
    digest = models.CharField(max_length=71)  # of what was shown: see apps.rollouts.passed
    state = models.CharField(max_length=10, choices=choices_of(PassingState))
    generation = models.IntegerField(default=0)
    asked_by = models.CharField(max_length=40)  # actor id
    asker = models.CharField(max_length=40)  # accountable person id
    reason = models.TextField()
    answered_by = models.CharField(max_length=40, blank=True)  # the second person
    answer = models.TextField(blank=True)  # why, in their words
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rollout", "step"],
                condition=Q(state=PassingState.ASKED),
                name="rollouts_one_passing_asked",
            )
        ]

    @property
    def is_open(self) -> bool:
        """Tell whether a second person can still answer: the rollout has not gone on, or ended."""
        here = self.rollout.state in STEPPING and self.rollout.step == self.step
        return self.state == PassingState.ASKED and here

    def environment_scope(self) -> str | None:
        """It belongs to its rollout's environment."""
        return self.rollout.endpoint.environment


class DrillState(models.TextChoices):
    """``running → passed`` or ``failed``. ``skipped`` is one that was due and could not begin, or
    that became a rollback."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Drill(Audited):
    """One rehearsal of a rollback: what came of it, and how long it took.

    It moves nothing itself: its rollout does. What it measures is written when that has ended and
    what the node counted meanwhile is in.
    """

    LOG_SEALED = frozenset({"reason"})

    id = IdField("drl")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="drills")
    rollout = models.OneToOneField(
        Rollout, null=True, blank=True, on_delete=models.PROTECT, related_name="drill"
    )
    planned_for = models.DateTimeField(null=True, blank=True)  # None: somebody asked for it
    started_by = models.CharField(max_length=40)
    state = models.CharField(max_length=8, choices=DrillState.choices, default=DrillState.RUNNING)
    generation = models.IntegerField(default=0)
    reason = models.TextField(blank=True)  # why it failed or was skipped, in words
    # from the decision until the node said that the live revision gets no request any more
    seconds = models.FloatField(null=True, blank=True)
    # from the decision to return until the node said that it has them all again
    return_seconds = models.FloatField(null=True, blank=True)
    answers = models.IntegerField(null=True, blank=True)  # of the former revision meanwhile
    # server errors of both revisions in the node's windows that the drill touches; None: not known
    failed_requests = models.IntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=Q(state=DrillState.RUNNING),
                name="rollouts_one_drill",
            ),
            models.UniqueConstraint(
                fields=["endpoint", "planned_for"], name="rollouts_drill_planned_once"
            ),
        ]

    def environment_scope(self) -> str | None:
        """A drill belongs to its endpoint's environment."""
        return self.endpoint.environment


class DrillSchedule(Audited):
    """When the drills of an endpoint come round: every so many days at an hour, UTC."""

    LOG_HIDDEN = frozenset({"next_at"})

    id = IdField("drs")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    endpoint = models.OneToOneField(
        Endpoint, on_delete=models.PROTECT, related_name="drill_schedule"
    )
    every_days = models.IntegerField()
    hour = models.IntegerField()
    next_at = models.DateTimeField()
    set_by = models.CharField(max_length=40)
    generation = models.IntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    def environment_scope(self) -> str | None:
        """A schedule belongs to its endpoint's environment."""
        return self.endpoint.environment
