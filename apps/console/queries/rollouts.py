"""A rollout as its page shows it: where it is, what flows where, and what people may do now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from apps.console.queries.analyses import AnalysisView, analyses_of, judged_of
from apps.console.queries.events import EventLine, reasons_of, story
from apps.console.queries.experiments import ExperimentView, experiment_of
from apps.console.queries.plans import Picture, picture
from apps.console.queries.rollout_counts import StepCounts, counts_of_step
from apps.console.queries.rollout_steps import PlanStepRow, step_rows
from apps.console.queries.rollout_words import sides_of, with_last_words
from apps.console.queries.stops import stopper
from apps.console.queries.tried_again import with_tried_again
from apps.governance.plan import Analysis, Plan
from apps.governance.rules import RETRIABLE
from apps.monitoring.rules import WindowCounts
from apps.rollouts.models import Look, Rollout
from apps.rollouts.passing import RolloutPassing, passing_of, with_passing
from apps.rollouts.queries import found, visible_rollouts
from apps.rollouts.rules import STEPPING, RolloutSnapshot, go_on, next_step, skip
from apps.rollouts.snapshots import snapshot
from apps.rollouts.states import RolloutKind
from apps.rollouts.steps import untested
from apps.serving.drivers.base import Observation
from apps.serving.drivers.kinds import driver_for
from apps.serving.models import Revision
from apps.serving.rules import ENDED, RevisionState
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now


@dataclass(slots=True)
class RolloutSide:
    """One of the two revisions: what is wished, what the node applies, what was counted."""

    name: str
    revision: Revision
    applied: int | None  # None: the node says nothing of it
    ready: int
    counts: WindowCounts
    share: float | None  # of the requests counted


@dataclass(slots=True)
class RolloutView:
    """Everything the page of one rollout shows."""

    rollout: Rollout
    steps: list[PlanStepRow]
    picture: Picture
    analyses: list[AnalysisView]
    experiment: ExperimentView | None
    sides: list[RolloutSide]
    counted: StepCounts
    waits_for: str
    heard: bool  # of the node, lately
    can: dict[str, bool]
    names: dict[str, str]
    lines: list[EventLine]
    said: dict[int, str]  # why, by the number of the line
    skipped: bool  # the steps of the plan, because nothing was live
    passing: RolloutPassing  # what a skip or a promotion would go past, and what was gone past

    @property
    def is_open(self) -> bool:
        """Tell whether it goes on, and the page renews itself."""
        return self.rollout.finished_at is None


def rollout_view(rollout_id: str, actor: Actor) -> RolloutView:
    """Return everything the page of one rollout shows, or raise ``NotFound``."""
    row = found(_rows(actor), rollout_id)
    seen = driver_for(row.endpoint.target).observe(row.endpoint.target)
    analyses = analyses_of(row)
    facts = replace(snapshot(row, seen, now()), judged=judged_of(row, analyses))
    passing = passing_of(row, facts, _last_of(row, analyses))
    people = {row.started_by, row.paused_by, row.promoted_by, row.aborted_by} - {""}
    place = Scope(row.project_id, row.endpoint.environment)
    lines, names = story([row.pk], actor, people=people, place=place)
    steps = step_rows(row, facts, passing.passed_over, lines=lines, names=names, looked=analyses)
    counted = counts_of_step(row, heard=seen.alive)
    return RolloutView(
        rollout=row,
        steps=steps,
        picture=picture(row.steps, [step.state for step in steps]),
        analyses=[a for a in analyses if isinstance(row.steps[a.number - 1], Analysis)],
        experiment=experiment_of(row, analyses, actor),
        sides=sides(row, seen, counted.counts),
        counted=counted,
        waits_for=next_step(facts).waiting_for,
        heard=seen.alive,
        can=possible(row, facts, passing),
        names=names,
        lines=lines,
        said=reasons_of(lines),
        skipped=row.kind == RolloutKind.RELEASE
        and row.steps != Plan.stored(row.release.plan).steps,
        passing=passing,
    )


def _rows(actor: Actor) -> QuerySet[Rollout, Any]:
    """Return the rollouts that ``actor`` sees, with all that the page reads along."""
    beside = (
        "endpoint__target",
        "endpoint__project",
        "release__version",
        "to_revision__bento__version__model",
        "from_revision__bento__version__model",
    )
    rows = with_passing(with_last_words(visible_rollouts(actor).select_related(*beside), actor))
    live = Revision.objects.filter(endpoint=OuterRef("endpoint"), state=RevisionState.LIVE)
    return with_tried_again(rows).annotate(live_there=Exists(live), stopper=stopper("endpoint"))


def _last_of(row: Rollout, analyses: Sequence[AnalysisView]) -> Look | None:
    """Return the last look of the present step, among what was read of all."""
    return next((one.last for one in analyses if one.number - 1 == row.step), None)


def sides(row: Rollout, seen: Observation, counts: Mapping[str, WindowCounts]) -> list[RolloutSide]:
    """Return the revision that comes and the one that goes, with what was counted of them."""
    new, old = sides_of(row)
    present = [(new, row.to_revision), (old, row.from_revision)]
    revisions = [(name, revision) for name, revision in present if revision is not None]
    every = sum(count.requests for count in counts.values())
    rows = []
    for name, revision in revisions:
        report, counted = seen.revisions.get(revision.pk), counts[revision.pk]
        rows.append(
            RolloutSide(
                name=name,
                revision=revision,
                applied=report.weight if report else None,
                ready=report.ready_replicas if report else 0,
                counts=counted,
                share=counted.requests / every if every else None,
            )
        )
    return rows


def possible(row: Rollout, facts: RolloutSnapshot, passing: RolloutPassing) -> dict[str, bool]:
    """Return which of the things that people do to a rollout make sense now: what the policy
    forbids does not, nor what somebody asks a second person for already."""
    stepping = row.state in STEPPING
    held, asks = bool(row.paused_by), go_on(facts) is not None
    return {
        "resume": stepping and (held or asks),
        # at a step that waits for somebody to resume it nothing is left to pause
        "pause": stepping and not held and not asks and row.kind != RolloutKind.DRILL,
        "skip": stepping
        and not asks
        and skip(facts) is not None
        and passing.may_pass(passing.skip),
        "promote": stepping
        and not row.promoted_by
        and len(row.steps) > 1
        and not untested(row.steps, row.step)
        and passing.may_pass(passing.promote),
        "abort": stepping and not (row.from_revision and row.from_revision.state in ENDED),
        "retry": retriable(row) and not unretried(row),
    }


def retriable(row: Rollout) -> bool:
    """Tell whether the release of a rollout could go out again on its approval."""
    return row.kind == RolloutKind.RELEASE and row.release.state in RETRIABLE


def unretried(row: Rollout) -> str:
    """Say why a retry would be refused now; '' where nothing of that is known."""
    if not retriable(row):
        return ""
    if row.release.not_after <= now():
        return "It can't be retried: its approval has expired."
    if row.endpoint.is_stopped:
        return "It can be retried once its endpoint is started."
    return ""
