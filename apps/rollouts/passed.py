"""Analyses of a signed plan that people pass over, in the words of pages, the API and the command
line: what somebody would go past now, and what was gone past.

Of a rollout from before this was written down the log tells who skipped which step and who promoted
it. What it does not tell is not claimed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from apps.audit.models import Event, logged
from apps.governance.models import Release
from apps.governance.plan import Analysis, Plan, Step, written
from apps.identity.queries import name_in, visible
from apps.rollouts.events import ENTERED, ROLLOUT_PROMOTED, SCALING_UP, STEP_SKIPPED
from apps.rollouts.models import Look, Passing, Rollout
from apps.rollouts.rules import PROMOTE, SKIP, PassingVerb, RolloutSnapshot, passed_over, steps_for
from apps.rollouts.rules.passing import LoggedPassing, went_past
from apps.rollouts.states import PassingState, RolloutKind, RolloutState
from apps.rollouts.steps import metrics_of
from placet.kernel.actor import Actor
from placet.kernel.durations import spell
from placet_verify import canonical

ROLLOUTS = 50  # of a release that are told of: one, and one more for each retry
SHIFTS = (SCALING_UP.name, ENTERED[RolloutState.SHIFTING].name)
SAYS = (STEP_SKIPPED.name, ROLLOUT_PROMOTED.name, *SHIFTS)
VERB_OF: dict[str, PassingVerb] = {"rollout.step_skipped": SKIP, "rollout.promoted": PROMOTE}


class KeptAnalysis(TypedDict):
    """An analysis that was gone past, as it is kept and logged: numbers and words of ours."""

    step: int  # its place in the plan, from 0
    is_cut: bool  # it had begun
    outcome: str  # of its last look; '' for none
    metrics: list[str]  # what it was to look at, by kind


@dataclass(frozen=True, slots=True)
class PassedAnalysis:
    """An analysis that does not run to its end, or did not, in words."""

    step: int  # its place in the plan, from 0
    is_cut: bool
    asks: tuple[str, ...]
    timeout_seconds: int
    outcome: str = ""
    sentence: str = ""  # what its last look said, where that is told

    @property
    def terms(self) -> str:
        """Its number, what it asks, and how long it may take."""
        return f"{self.step + 1} ({', '.join(self.asks)}; up to {spell(self.timeout_seconds)})"

    @property
    def about(self) -> str:
        """Which analysis it is."""
        return f"step {self.terms}"

    @property
    def ahead(self) -> str:
        """Say what would become of it."""
        if not self.is_cut:
            return f"Step {self.terms}: would not run."
        stands = f"So far: {self.outcome}. {self.sentence}" if self.outcome else "No look yet."
        return f"Step {self.terms}: is cut short. {stands.rstrip()}"

    @property
    def behind(self) -> str:
        """Say what became of it."""
        if not self.is_cut:
            return f"{self.about}, which never began"
        return f"{self.about}, cut short{f' ({self.outcome})' if self.outcome else ''}"


def kept_of(
    steps: Sequence[Step], facts: RolloutSnapshot, verb: PassingVerb, look: Look | None
) -> list[KeptAnalysis]:
    """Return what ``verb`` goes past now; ``look`` is the last of the present step."""
    return [
        KeptAnalysis(
            step=one.index,
            is_cut=one.is_cut,
            outcome=look.outcome if one.is_cut and look is not None else "",
            metrics=[metric.metric for metric in _analysis(steps, one.index).metrics],
        )
        for one in passed_over(facts, verb)
    ]


def digest_of(row: Rollout, verb: PassingVerb, kept: Sequence[KeptAnalysis]) -> str:
    """Return the digest of what is gone past: the rollout, the verb, the step that it is at, and
    each analysis as the plan has it. What is measured meanwhile changes nothing of it."""
    analyses = [
        {"step": one["step"], "is_cut": one["is_cut"], "asks": written(row.steps[one["step"]])}
        for one in kept
    ]
    shown = {"rollout": row.pk, "verb": verb, "step": row.step, "analyses": analyses}
    return canonical.digest(shown)


def told_of(
    steps: Sequence[Step], kept: Sequence[KeptAnalysis], look: Look | None = None
) -> tuple[PassedAnalysis, ...]:
    """Return analyses in words; with ``look`` what that says now of the one that has begun."""
    return tuple(
        PassedAnalysis(
            step=one["step"],
            is_cut=one["is_cut"],
            asks=tuple(metric.asked for metric in metrics_of(_analysis(steps, one["step"]))),
            timeout_seconds=_analysis(steps, one["step"]).timeout_seconds,
            outcome=look.outcome if look is not None and one["is_cut"] else one["outcome"],
            sentence=look.verdict["sentence"] if look is not None and one["is_cut"] else "",
        )
        for one in kept
    )


def said_of_forbidding(row: Rollout, verb: PassingVerb, kept: Sequence[KeptAnalysis]) -> str:
    """Say that the policy of a release forbids ``verb`` now, and what can be done instead."""
    number, environment = row.release.policy.number, row.endpoint.environment
    steps = ", ".join(one.about for one in told_of(row.steps, kept))
    how = "skipping" if verb == SKIP else "promoting past"
    many, ended = ("analyses", "they have") if len(kept) > 1 else ("an analysis", "it has")
    return (
        f"Policy r{number} of {environment} forbids {how} {many} of the plan that people signed:"
        f" {steps}. Wait until {ended} ended, or abort the rollout"
    )


def _analysis(steps: Sequence[Step], index: int) -> Analysis:
    step = steps[index]
    assert isinstance(step, Analysis)
    return step


@dataclass(frozen=True, slots=True)
class PassedOver:
    """That somebody went past analyses. ``second`` is who confirmed it, where two were needed."""

    rollout: str
    verb: str
    at: datetime
    by: str
    by_name: str
    second: str
    second_name: str
    reason: str  # '' where it is not known
    answer: str  # why the second person confirmed it
    analyses: tuple[PassedAnalysis, ...]

    @property
    def before(self) -> str:
        """The sentence up to its time."""
        many = len(self.analyses)
        what, was = ("analyses", "were") if many > 1 else ("analysis", "was")
        return f"{many} {what} that people signed {was} passed over by {self.who}"

    @property
    def who(self) -> str:
        """Who did it: whoever asked, and who confirmed it where two were needed."""
        return f"{self.by_name}, confirmed by {self.second_name}" if self.second else self.by_name

    @property
    def behind(self) -> str:
        """Which they were."""
        return "; ".join(one.behind for one in self.analyses)

    @property
    def said(self) -> str:
        """Why, in people's words; '' where that is not known."""
        said = [f"“{self.reason}”"] if self.reason else []
        if self.second and self.answer:
            said.append(f"{self.second_name}: “{self.answer}”")
        return " ".join(said)

    @property
    def sentence(self) -> str:
        """All of it."""
        on = f"on {self.at.day} {self.at:%B %Y}"
        return f"{self.before} {on}: {self.behind}.{f' {self.said}' if self.said else ''}"


def with_passed_over(releases: QuerySet[Release], actor: Actor) -> QuerySet[Release, Any]:
    """Have each release bring what :func:`passed_over_in` tells from (``passed``), without a query
    of its own: of its rollouts that ``actor`` may see."""
    rows = Rollout.objects.filter(release=OuterRef("pk"), kind=RolloutKind.RELEASE)
    rows = rows.exclude(from_revision=None)
    sees = actor.can_somewhere("rollout.view")  # a column of no project at all cannot be read
    rows = visible(rows, actor, view="rollout.view") if sees else rows.filter(pk="")
    told = rows.order_by("-created_at").values(json=passings_told())
    return releases.annotate(passed=ArraySubquery(told[:ROLLOUTS]))


def passings_told() -> JSONObject:
    """Return what was gone past as a column of a query that reads rollouts: see :func:`told_in`."""
    done = Passing.objects.filter(rollout=OuterRef("pk"), state=PassingState.DONE)
    names = {"by_name": name_in("asked_by"), "second_name": name_in("answered_by")}
    same = {name: name for name in ("verb", "analyses", "reason", "answer", "asked_at")}
    row = JSONObject(by="asked_by", second="answered_by", at="answered_at", **names, **same)
    said = Event.objects.filter(subject=OuterRef("pk"), kind__in=SAYS).order_by("index")
    said = said.annotate(step_said=logged("step"), name=name_in("actor_id"))
    event = {name: name for name in ("kind", "index", "at", "name")}
    return JSONObject(
        id="pk",
        begun="step_times",
        done=ArraySubquery(done.order_by("asked_at").values(json=row)),
        said=ArraySubquery(said.values(json=JSONObject(by="actor_id", step="step_said", **event))),
    )


def passed_over_in(release: Any) -> list[PassedOver]:
    """Return what was gone past in the rollouts of ``release``, which was read
    :func:`with_passed_over`, the first one first."""
    plan = Plan.stored(release.plan)
    steps = steps_for(plan, kind=RolloutKind.RELEASE, has_stable=True)
    return [one for told in reversed(release.passed) for one in told_in(told, steps)]


def told_in(told: Mapping[str, Any], steps: Sequence[Step]) -> list[PassedOver]:
    """Return what was gone past in a rollout by ``steps`` that brought :func:`passings_told`."""
    written_down = [_done(told["id"], one, steps) for one in told["done"]]
    known = {analysis.step for one in written_down for analysis in one.analyses}
    return sorted([*_before(told, steps, known), *written_down], key=lambda one: one.at)


def _done(rollout: str, one: Mapping[str, Any], steps: Sequence[Step]) -> PassedOver:
    return PassedOver(
        rollout=rollout,
        at=datetime.fromisoformat(one["at"] or one["asked_at"]),
        analyses=told_of(steps, one["analyses"]),
        **{name: one[name] for name in ("verb", "by", "by_name", "second", "second_name")},
        **{name: one[name] for name in ("reason", "answer")},
    )


def _before(
    told: Mapping[str, Any], steps: Sequence[Step], known: set[int]
) -> Iterator[PassedOver]:
    """Yield what the log alone tells of, by who did it."""
    events = [
        LoggedPassing(_kind(one), one["index"], _number(one["step"]), one["index"])
        for one in told["said"]
    ]
    begun = set(map(int, told["begun"]))
    passed = went_past(steps, begun, events)
    for one in told["said"]:
        mine = [index for index in sorted(passed) if passed[index] == one["index"]]
        kept = [
            KeptAnalysis(step=index, is_cut=index in begun, outcome="", metrics=[])
            for index in mine
            if index not in known and isinstance(steps[index], Analysis)
        ]
        if kept:
            yield PassedOver(
                rollout=told["id"],
                verb=VERB_OF[_kind(one)],
                at=datetime.fromisoformat(one["at"]),
                by=one["by"],
                by_name=one["name"],
                **dict.fromkeys(("second", "second_name", "reason", "answer"), ""),
                analyses=told_of(steps, kept),
            )


def _kind(one: Mapping[str, Any]) -> str:
    return str(one["kind"]).rsplit(".v", 1)[0]


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
