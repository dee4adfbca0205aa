"""The steps of a rollout as its page shows them: how far each is, and who ended it early."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from apps.console.queries.analyses import AnalysisView
from apps.console.queries.events import EventLine
from apps.console.templatetags.placet import span
from apps.governance.plan import (
    AbTest,
    Analysis,
    Pause,
    SetHeaderRoute,
    SetMirror,
    SetWeight,
    Ship,
    Step,
)
from apps.rollouts.models import Rollout
from apps.rollouts.passed import VERB_OF, PassedOver
from apps.rollouts.rules import PROMOTE, RolloutSnapshot
from apps.rollouts.rules.passing import LoggedPassing, went_past
from apps.rollouts.states import ENDED_BADLY, RolloutKind, RolloutState
from apps.rollouts.steps import effect_of, metrics_of
from placet.kernel.durations import spell

STEPS_DONE = (RolloutState.DRAINING, RolloutState.RETURNING, RolloutState.DONE)
BADLY = (RolloutState.ABORTING, *ENDED_BADLY)
EARLY = ("failed", "aborted", "rolled_back", "ended")  # states of a step that was ended early
UNSETTLED = "Not settled in time: the plan went on"


@dataclass(slots=True)
class PlanStepRow:
    """One step of the plan. ``state``: done, now, skipped, one of ``EARLY``, or '' for what is to
    come."""

    number: int
    text: str
    state: str
    at: datetime | None  # when it began; of one that was ended early, when that was done
    note: str = ""  # what stands below it

    @property
    def is_now(self) -> bool:
        """Whether it is the present one."""
        return self.state == "now"


def step_rows(
    row: Rollout,
    facts: RolloutSnapshot,
    over: Sequence[PassedOver],
    *,
    lines: Sequence[EventLine],
    names: Mapping[str, str],
    looked: Sequence[AnalysisView],
) -> list[PlanStepRow]:
    """Return the steps as sentences; ``lines`` say who skipped some, ``looked`` what was found, and
    ``over`` which analyses were passed over."""
    passed = passed_by(row, with_askers(lines, over))
    outcomes = {a.number - 1: a.last.outcome for a in looked}
    rows = []
    for index, step in enumerate(row.steps):
        at = row.step_times.get(str(index))
        when = datetime.fromisoformat(at) if at else None
        state = state_of(row, index, passed, outcomes.get(index, ""))
        note = left(step, when, facts) if state == "now" else ""
        if state == "skipped":
            by = passed.get(index)
            note, when = (
                (f"Skipped by {by.actor_name}", passed_at(row, index, by))
                if by
                else ("Skipped", when)
            )
        elif state in EARLY:
            note, when = ended_by(row, names), ended_at(row) or when
        elif state == "done" and outcomes.get(index) == "inconclusive":
            note = UNSETTLED if isinstance(step, Analysis) else ""
        rows.append(PlanStepRow(index + 1, sentence(step, facts.coming), state, when, note))
    return rows


def with_askers(lines: Sequence[EventLine], passed: Sequence[PassedOver]) -> list[EventLine]:
    """Return ``lines`` with both names where somebody asked a second person, who confirmed what was
    ``passed`` over; the log says of each thing only who did it."""
    return [replace(line, actor_name=_who(line, passed)) for line in lines]


def _who(line: EventLine, passed: Sequence[PassedOver]) -> str:
    verb = VERB_OF.get(line.kind.rsplit(".v", 1)[0])
    for one in passed:
        same = verb == PROMOTE or one.analyses[0].step + 1 == line.data.get("step")
        if one.second and one.verb == verb and same:
            return one.who
    return line.actor_name


def passed_by(row: Rollout, lines: Sequence[EventLine]) -> dict[int, EventLine]:
    """Return which steps people went past before they were over, by index, and what says who did,
    and when."""
    told = [
        LoggedPassing(line.kind.rsplit(".v", 1)[0], line.index, line.data.get("step"), line)
        for line in reversed(lines)
    ]
    return went_past(row.steps, map(int, row.step_times), told)


def passed_at(row: Rollout, index: int, by: EventLine) -> datetime | None:
    """Return when the step at ``index`` was passed: the log writes that down a moment after the
    step that it went on with began, and of a promotion perhaps long before."""
    if by.at is None:
        return None
    begun = {int(at): datetime.fromisoformat(time) for at, time in row.step_times.items()}
    earlier = [time for at, time in begun.items() if at < index]
    later = [time for at, time in begun.items() if at > index]
    return min([max([by.at, *earlier]), *later])


def state_of(row: Rollout, index: int, passed: Container[int] = (), outcome: str = "") -> str:
    """Return how far the step at ``index`` is; ``outcome`` is that of its last look."""
    if index > row.step:
        return "skipped" if row.state in STEPS_DONE and index in passed else ""
    if index in passed or str(index) not in row.step_times:
        return "skipped"
    if index < row.step or row.state in STEPS_DONE:
        return "done"
    if row.state not in BADLY:
        return "now"
    if row.aborted_by:
        return "aborted"
    if by_recall(row):
        return "ended"
    if outcome == "failed":
        return "failed"
    return "rolled_back" if gave_back(row) else "ended"


def by_recall(row: Rollout) -> bool:
    """Tell whether a recall ended a rollout: what neither people nor a recall abort has failed."""
    return row.state == RolloutState.ABORTED and not row.aborted_by


def gave_back(row: Rollout) -> bool:
    """Tell whether there was something that requests could be given back to."""
    return row.kind == RolloutKind.RELEASE and row.from_revision is not None and row.step >= 0


def ended_by(row: Rollout, names: Mapping[str, str]) -> str:
    """Say who ended a rollout that ended badly."""
    if row.aborted_by:
        return f"Aborted by {names.get(row.aborted_by) or 'unknown actor'}"
    if by_recall(row):
        return "Ended by a recall"
    return "Rolled back by the platform" if gave_back(row) else "Ended by the platform"


def ended_at(row: Rollout) -> datetime | None:
    """Return when a rollout that ended badly began to end."""
    begun = [row.phase_times[state] for state in BADLY if state in row.phase_times]
    return datetime.fromisoformat(min(begun)) if begun else None


def sentence(step: Step, coming: str) -> str:
    """Return a step in words; ``coming`` are those for the revision that it sends requests to."""
    match step:
        case SetWeight(weight=weight):
            return f"Send {weight / 100:g}% of the requests to {coming}"
        case SetHeaderRoute(header=header, value=value):
            return f"Route requests with {header}: {value} to {coming}"
        case SetMirror(percent=0):
            return "Stop copying requests"
        case SetMirror(copies=copies):
            return f"Copy {copies / 100:g}% of the requests to {coming}"
        case Pause(duration_seconds=seconds):
            return "Wait for an operator to resume" if seconds is None else f"Wait {spell(seconds)}"
        case Analysis():
            return f"Analyse: {', '.join(metric.asked for metric in metrics_of(step))}"
        case AbTest():
            return f"A/B test: {effect_of(step).asked}"
        case Ship():
            return "Wait for an approver to ship"


def left(step: Step, since: datetime | None, facts: RolloutSnapshot) -> str:
    """Return how much of a pause is left."""
    if not isinstance(step, Pause) or step.duration_seconds is None or since is None:
        return ""
    seconds = step.duration_seconds - (facts.now - since).total_seconds()
    return f"{span(round(seconds))} left" if seconds > 0 else ""
