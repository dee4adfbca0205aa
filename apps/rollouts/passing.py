"""What skipping and promoting would go past now, and what waits for a second person: as pages, the
API and the command line show it before anybody clicks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.governance.passing_over import FORBID, SECOND_PERSON
from apps.identity.queries import name_in
from apps.rollouts.models import Look, Passing, Rollout
from apps.rollouts.passed import (
    PassedAnalysis,
    PassedOver,
    kept_of,
    passings_told,
    said_of_forbidding,
    told_in,
    told_of,
)
from apps.rollouts.queries import asked_at_present, last_look
from apps.rollouts.rules import PROMOTE, SKIP, STEPPING, PassingVerb, RolloutSnapshot
from apps.rollouts.snapshots import NOTHING_SEEN, snapshot
from apps.rollouts.states import PassingState
from placet.kernel.clock import now

SECOND = (
    "The policy asks for a second person: nothing happens before they confirm, and they can only"
    " while the rollout is at this step. Pause it to keep it there."
)
TO: dict[str, str] = {SKIP: "skip the step", PROMOTE: "promote"}
UNCONFIRMED = 5  # of a rollout that are told of, the newest


def _many(analyses: Sequence[Any]) -> str:
    return "1 analysis" if len(analyses) == 1 else f"{len(analyses)} analyses"


def _wants(verb: str, analyses: Sequence[Any]) -> str:
    return f"{TO[verb]}, passing over {_many(analyses)} that people signed"


@dataclass(frozen=True, slots=True)
class VerbPasses:
    """What a verb would go past now; ``refusal`` says why the policy forbids that, '' where it does
    not, and ``needs_second`` that somebody else has to confirm it."""

    analyses: tuple[PassedAnalysis, ...] = ()
    refusal: str = ""
    needs_second: bool = False

    @property
    def says(self) -> str:
        """All of it in lines; '' for nothing."""
        if not self.analyses:
            return ""
        lines = [
            f"Passes over {_many(self.analyses)} that people signed:",
            *(one.ahead for one in self.analyses),
        ]
        if self.needs_second:
            lines.append(SECOND)
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class AskedPassing:
    """What waits for a second person. ``asker`` is who answers for whoever asked."""

    verb: str
    digest: str
    asked_by: str
    asked_by_name: str
    asker: str
    reason: str
    asked_at: datetime
    analyses: tuple[PassedAnalysis, ...]

    @property
    def wants(self) -> str:
        """What is asked for, in words."""
        return _wants(self.verb, self.analyses)

    @property
    def says(self) -> str:
        """What confirming it does, in lines."""
        asks = f"{self.asked_by_name} asks to {self.wants}: it is done as soon as you confirm."
        return "\n".join([asks, *(one.ahead for one in self.analyses)])


@dataclass(frozen=True, slots=True)
class UnconfirmedPassing:
    """What a second person was asked for and nobody confirmed: they declined it, or the rollout was
    at another step, or over, before anybody answered."""

    verb: str
    step: int  # at which it was asked for; -1 before the first
    analyses: Sequence[Any]
    asked_by: str
    asked_by_name: str
    reason: str
    asked_at: datetime
    declined_by: str = ""
    declined_by_name: str = ""
    answer: str = ""
    declined_at: datetime | None = None

    @property
    def wanted(self) -> str:
        """What was asked for, in words."""
        return _wants(self.verb, self.analyses)

    @property
    def outcome(self) -> str:
        """Continues what was asked for: what came of it, without the words of who declined it."""
        if self.declined_by:
            return f"was declined by {self.declined_by_name}"
        step = f"at step {self.step + 1}" if self.step >= 0 else "before its first step"
        return f"lapsed, because nobody answered while the rollout was {step}"

    @property
    def sentence(self) -> str:
        """All of it."""
        answer = f": “{self.answer}”" if self.answer else "."
        asked = f"{self.asked_by_name} asked a second person to {self.wanted}"
        return f"{asked}: “{self.reason}”. It {self.outcome}{answer}"


@dataclass(frozen=True, slots=True)
class RolloutPassing:
    """What may be gone past in a rollout now, and what was."""

    step: int | None
    policy: str
    skip: VerbPasses
    promote: VerbPasses
    asked: AskedPassing | None
    passed_over: tuple[PassedOver, ...]
    unconfirmed: tuple[UnconfirmedPassing, ...] = ()  # the newest first

    def may_pass(self, passes: VerbPasses) -> bool:
        """Tell whether a verb that goes past this can be done or asked for now."""
        return not passes.refusal and not (passes.needs_second and self.asked)

    @property
    def refusal(self) -> str:
        """Why the policy forbids what it does; '' where it forbids nothing now."""
        return self.promote.refusal or self.skip.refusal


def with_passing(rollouts: QuerySet[Rollout]) -> QuerySet[Rollout, Any]:
    """Have each rollout bring what :func:`passing_of` tells from (``asked``, ``passings_json``)
    without a query of its own, and its policy."""
    same = {name: name for name in ("verb", "digest", "asked_by", "asker", "reason", "asked_at")}
    told = JSONObject(asked_by_name=name_in("asked_by"), analyses="analyses", **same)
    large = [f"release__policy__{name}" for name in ("source", "envelope", "assertion")]
    return (
        rollouts.select_related("release__policy")
        .defer(*large)
        .annotate(
            asked=Subquery(asked_at_present().values(json=told)[:1]),
            passings_json=passings_told(),
            unconfirmed_json=ArraySubquery(
                unconfirmed_told(Passing.objects.filter(rollout=OuterRef("pk")))[:UNCONFIRMED]
            ),
        )
    )


def unconfirmed(passings: QuerySet[Passing]) -> QuerySet[Passing]:
    """Return those of ``passings`` that nobody confirmed: they were declined, or lapsed as their
    rollout went on. What was withdrawn whoever asked knows."""
    waits = Q(step=F("rollout__step"), rollout__state__in=STEPPING)
    return passings.filter(Q(state=PassingState.DECLINED) | Q(Q(state=PassingState.ASKED), ~waits))


def unconfirmed_told(passings: QuerySet[Passing]) -> QuerySet[Any, Any]:
    """Return those of ``passings`` that nobody confirmed, the newest first, each as
    :func:`unconfirmed_in` reads it."""
    same = {name: name for name in ("verb", "step", "analyses", "asked_by", "reason", "asked_at")}
    told = JSONObject(
        **same,
        asked_by_name=name_in("asked_by"),
        declined_by="answered_by",
        declined_by_name=name_in("answered_by"),
        declined_at="answered_at",
        answer="answer",
    )
    return unconfirmed(passings).order_by("-asked_at").values(json=told)


def unconfirmed_in(told: Mapping[str, Any]) -> UnconfirmedPassing:
    """Return what was brought by :func:`unconfirmed_told`."""
    asked, declined = datetime.fromisoformat(told["asked_at"]), told["declined_at"]
    declined_at = datetime.fromisoformat(declined) if declined else None
    return UnconfirmedPassing(**{**told, "asked_at": asked, "declined_at": declined_at})


def read_passing(row: Any) -> RolloutPassing:
    """Return :func:`passing_of` as the rows stand: one query more, of one that analyses."""
    return passing_of(row, snapshot(row, NOTHING_SEEN, now()), last_look(row))


def passing_of(row: Any, facts: RolloutSnapshot, last: Look | None) -> RolloutPassing:
    """Return what may be gone past in a rollout that was read :func:`with_passing`, and what was;
    ``last`` is the last look of its present step."""
    return RolloutPassing(
        step=row.step if row.step >= 0 else None,
        policy=row.release.policy.passing_over,
        skip=verb_passes(row, facts, SKIP, last),
        promote=verb_passes(row, facts, PROMOTE, last),
        asked=_asked(row, last) if row.asked else None,
        passed_over=tuple(told_in(row.passings_json, row.steps)),
        unconfirmed=tuple(map(unconfirmed_in, row.unconfirmed_json)),
    )


def _asked(row: Any, last: Look | None) -> AskedPassing:
    asked = {
        **row.asked,
        "asked_at": datetime.fromisoformat(row.asked["asked_at"]),
        "analyses": told_of(row.steps, row.asked["analyses"], last),
    }
    return AskedPassing(**asked)


def verb_passes(
    row: Rollout, facts: RolloutSnapshot, verb: PassingVerb, look: Look | None
) -> VerbPasses:
    """Return what ``verb`` would go past now."""
    kept = kept_of(row.steps, facts, verb, look) if row.state in STEPPING else []
    if not kept:
        return VerbPasses()
    says = row.release.policy.passing_over
    return VerbPasses(
        told_of(row.steps, kept, look),
        said_of_forbidding(row, verb, kept) if says == FORBID else "",
        says == SECOND_PERSON,
    )
