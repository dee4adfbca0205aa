"""What a draft policy would say about what is open and live now. Writes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.governance import gates
from apps.governance.gates.facts import GateResult
from apps.governance.models import OPEN_STATES, Environment, Release
from apps.governance.queries.facts import WITH_ALL, answers, gather
from apps.governance.rules import ReleaseState
from placet.kernel import clock

LIMIT = 100


@dataclass(frozen=True, slots=True)
class DryRunRow:
    """One release under the policy in force and under the draft."""

    release: Release
    passes_now: bool
    passes_then: bool
    results: tuple[GateResult, ...]
    before: tuple[GateResult, ...]  # what the gates in force say
    decisions: int  # made on it, and not void


def dry_run(environment: Environment, document: Mapping[str, Any]) -> list[DryRunRow]:
    """Evaluate ``document`` on the environment's open and live releases, newest first.

    Decisions that were made count here as they stand; publishing would drop them.
    """
    states = (*OPEN_STATES, ReleaseState.LIVE)
    rows = list(
        Release.objects.filter(environment=environment, state__in=states)
        .select_related("project", *WITH_ALL)
        .order_by("-pk")[:LIMIT]
    )
    facts = gather(rows, clock.now())
    result = []
    for row in rows:
        now = answers(row, facts[row.pk])
        then = gates.evaluate_all(document["gates"], facts[row.pk])
        result.append(
            DryRunRow(
                release=row,
                passes_now=gates.passed(now),
                passes_then=gates.passed(then),
                results=tuple(then),
                before=tuple(now),
                decisions=len(facts[row.pk].decisions),
            )
        )
    return result
