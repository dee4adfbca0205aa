"""What skipping and promoting would go past now, and what waits for a second person: as pages, the
API and the command line show it before anybody clicks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Subquery
from django.db.models.functions import JSONObject

from apps.governance.passing_over import FORBID, SECOND_PERSON
from apps.identity.queries import name_in
from apps.rollouts.models import Look, Rollout
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
from placet.kernel.clock import now

SECOND = (
    "The policy asks for a second person: nothing happens before they confirm, and they can only"
    " while the rollout is at this step. Pause it to keep it there."
)
TO: dict[str, str] = {SKIP: "skip the step", PROMOTE: "promote"}


def _many(analyses: Sequence[PassedAnalysis]) -> str:
    return "1 analysis" if len(analyses) == 1 else f"{len(analyses)} analyses"


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
        return f"{TO[self.verb]}, passing over {_many(self.analyses)} that people signed"

    @property
    def says(self) -> str:
        """What confirming it does, in lines."""
        asks = f"{self.asked_by_name} asks to {self.wants}: it is done as soon as you confirm."
        return "\n".join([asks, *(one.ahead for one in self.analyses)])


@dataclass(frozen=True, slots=True)
class RolloutPassing:
    """What may be gone past in a rollout now, and what was."""

    step: int | None
    policy: str
    skip: VerbPasses
    promote: VerbPasses
    asked: AskedPassing | None
    passed_over: tuple[PassedOver, ...]

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
            asked=Subquery(asked_at_present().values(json=told)[:1]), passings_json=passings_told()
        )
    )


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
