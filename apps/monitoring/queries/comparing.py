"""What two revisions answered to the same requests, joined from what both captured."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apps.monitoring import parquet
from apps.monitoring.answers import agree
from apps.monitoring.models import CapturePart

NEWEST = 5000  # pairs that are compared
SHOWN = 50  # disagreements that are listed
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One request to which two revisions gave different answers, one for each row."""

    prediction: str
    at: datetime
    inputs: Any
    stable: Any
    candidate: Any


@dataclass(frozen=True, slots=True)
class Compared:
    """The newest pairs of answers, how many disagree, and the newest of those."""

    pairs: int
    disagreements: int
    tolerance: float
    shown: Sequence[Disagreement] = ()

    @property
    def share(self) -> float | None:
        """The share of pairs that disagree; ``None`` without pairs, which is not the same as 0."""
        return self.disagreements / self.pairs if self.pairs else None


def compare(stable: str, candidate: str, *, since: datetime, tolerance: float) -> Compared:
    """Compare what two revisions answered to the same requests since then, newest first."""
    files = [
        list(
            CapturePart.objects.filter(revision=revision, day__gte=since.date())
            .order_by("-day", "-pk")
            .values_list("sha256", flat=True)
        )
        for revision in (stable, candidate)
    ]
    if not all(files):
        return Compared(0, 0, tolerance)
    pairs = parquet.pairs(*files, since=since.timestamp(), limit=NEWEST)
    found = [
        Disagreement(
            row.prediction,
            datetime.fromtimestamp(row.made_at, UTC),
            json.loads(row.inputs) if row.inputs else None,
            mine,
            other,
        )
        for row in pairs
        if not agree(mine := json.loads(row.stable), other := json.loads(row.candidate), tolerance)
    ]
    return Compared(len(pairs), len(found), tolerance, found[:SHOWN])
