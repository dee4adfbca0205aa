"""Disagreements together: equal ones counted, old answer by new answer, and how far numbers are
apart."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.text import Truncator

from apps.console.queries.prediction_table import Spread, drawable, histogram
from apps.console.templatetags.placet import number
from apps.monitoring.queries import Disagreement

CLASSES = 8  # of a side that have a row or a column of their own
OTHERS = "others"


def text_of(value: Any) -> str:
    """Return a JSON value as one text: equal values give equal texts."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True, slots=True)
class DisagreementGroup:
    """Requests of equal inputs to which two revisions gave the same two answers."""

    inputs: str
    stable: str
    candidate: str
    count: int
    prediction: str  # the newest
    at: datetime


def groups_of(rows: Sequence[Disagreement]) -> list[DisagreementGroup]:
    """Return equal disagreements as one, what was so most often first, then the newest."""
    found: dict[tuple[str, str, str], list[Disagreement]] = {}
    for row in rows:
        key = (text_of(row.inputs), text_of(row.stable), text_of(row.candidate))
        found.setdefault(key, []).append(row)
    groups = [
        DisagreementGroup(
            inputs=Truncator(inputs).chars(240),
            stable=Truncator(stable).chars(120),
            candidate=Truncator(candidate).chars(120),
            count=len(same),
            prediction=same[0].prediction,
            at=same[0].at,
        )
        for (inputs, stable, candidate), same in found.items()
    ]
    return sorted(groups, key=lambda group: -group.count)


def answers_of(rows: Sequence[Disagreement]) -> list[tuple[Any, Any]]:
    """Return the pairs of answers that differ, one for each row of a request."""
    pairs: list[tuple[Any, Any]] = []
    for row in rows:
        old, new = row.stable, row.candidate
        if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            pairs += [(a, b) for a, b in zip(old, new, strict=True) if a != b]
        else:
            pairs.append((old, new))
    return pairs


@dataclass(frozen=True, slots=True)
class TwoWay:
    """How often the old answer was the one and the new answer the other."""

    columns: Sequence[str]  # new answers
    rows: Sequence[tuple[str, Sequence[str]]]  # an old answer, with a count for each column


def two_way(pairs: Sequence[tuple[Any, Any]]) -> TwoWay | None:
    """Return the table of old by new answers; ``None`` where each answer is another one."""
    words = [(_label(old), _label(new)) for old, new in pairs]
    old_names, new_names = (
        (_names(side) for side in zip(*words, strict=True)) if words else ([], [])
    )
    if not old_names or len(set(words)) == len(words) > 1:
        return None
    counts = Counter(
        (old if old in old_names else OTHERS, new if new in new_names else OTHERS)
        for old, new in words
    )
    cells = [
        (old, [number(counts[old, new]) if counts[old, new] else "" for new in new_names])
        for old in old_names
    ]
    return TwoWay(new_names, cells)


def _label(value: Any) -> str:
    return Truncator(value if isinstance(value, str) else text_of(value)).chars(32)


def _names(side: Sequence[str]) -> list[str]:
    counted = Counter(side)
    names = [name for name, _ in counted.most_common(CLASSES)]
    return [*names, OTHERS] if len(counted) > CLASSES else names


def differences(pairs: Sequence[tuple[Any, Any]]) -> Spread | None:
    """Return how far the new answer lies from the old one; ``None`` where one is no number."""
    if not pairs or not all(drawable(old) and drawable(new) for old, new in pairs):
        return None
    return histogram([new - old for old, new in pairs])
