"""What a release changes against what is live: numbers, schema, dependencies, policy."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from apps.governance.gates.facts import EvidenceFact, Facts, newest
from apps.governance.gates.schema import SchemaChange, compare
from apps.governance.models import Release
from apps.governance.queries.facts import evidence_facts

_LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
_UNSAID: dict[str, Any] = {"unit": None, "capture": None, "egress": None}  # where it lacks them
Direction = Literal["up", "down", "same", "new", "gone"]


@dataclass(frozen=True, slots=True)
class MetricComparison:
    """One metric: live, proposed, and the change between them."""

    name: str
    live: float | None
    proposed: float | None
    change: float | None
    direction: Direction
    source: str


@dataclass(frozen=True, slots=True)
class DependencyRow:
    """One locked package; '' where it is not locked."""

    name: str
    live: str
    proposed: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that differs; ``compared_with`` is '' while nothing is live."""

    compared_with: str
    metrics: tuple[MetricComparison, ...]
    schema: tuple[SchemaChange, ...]
    dependencies: tuple[DependencyRow, ...]
    dependency_count: int
    policy_live: int | None
    policy_proposed: int
    serving: tuple[tuple[str, Any, Any], ...]


def changes_of(row: Release, live: Release | None, facts: Facts) -> Changes:
    """Return what ``row`` changes against what is, or was, ``live``."""
    ours = locked(row.bento.runtime.lock)
    theirs = locked(live.bento.runtime.lock) if live else {}
    before = evidence_facts(facts, live)
    return Changes(
        compared_with=str(live.version) if live else "",
        metrics=metric_rows(list(facts.evidence), before),
        schema=schema_rows(live.version.signature if live else None, row.version.signature),
        dependencies=dependency_rows(theirs, ours) if live else (),
        dependency_count=len(ours),
        policy_live=live.policy.number if live else None,
        policy_proposed=row.policy.number,
        serving=tuple(
            (name, live.serving.get(name) if live else None, value)
            for name, value in (_UNSAID | row.serving).items()
            if (live.serving.get(name) if live else None) != value
        ),
    )


def metric_rows(
    proposed: list[EvidenceFact], live: list[EvidenceFact] | None
) -> tuple[MetricComparison, ...]:
    """Put the newest metrics beside each other, the proposed ones in their own order."""
    now, before = newest(proposed, "metrics"), newest(live or [], "metrics")
    ours = _numbers(now.data if now else {})
    theirs = _numbers(before.data if before else {})
    names = [*ours, *(name for name in theirs if name not in ours)]
    source = now.source if now else ""
    return tuple(metric_row(name, theirs.get(name), ours.get(name), source) for name in names)


def _numbers(data: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in data.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def metric_row(
    name: str, live: float | None, proposed: float | None, source: str
) -> MetricComparison:
    """Put a metric beside that of what is live."""
    if live is None or proposed is None:
        direction: Direction = "new" if live is None else "gone"
        return MetricComparison(name, live, proposed, None, direction, source)
    change = proposed - live
    direction = "up" if change > 0 else "down" if change < 0 else "same"
    return MetricComparison(name, live, proposed, change, direction, source)


def schema_rows(
    live: Mapping[str, Any] | None, proposed: Mapping[str, Any] | None
) -> tuple[SchemaChange, ...]:
    """Return the differences of two signatures, none when either is missing."""
    return tuple(compare(live, proposed)) if live and proposed else ()


def locked(lock: str) -> dict[str, str]:
    """Return the packages of a lock with their versions."""
    return {name.lower(): version for name, version in _LOCKED.findall(lock)}


def dependency_rows(
    live: Mapping[str, str], proposed: Mapping[str, str]
) -> tuple[DependencyRow, ...]:
    """Return the packages whose version differs."""
    return tuple(
        DependencyRow(name, live.get(name, ""), proposed.get(name, ""))
        for name in sorted({*live, *proposed})
        if live.get(name) != proposed.get(name)
    )
