"""What two revisions answered to the same requests, joined from what both captured."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apps.monitoring import parquet
from apps.monitoring.agreement import agree
from apps.monitoring.models import CapturePart
from apps.monitoring.prediction_lines import json_or_none
from apps.registry.errors import BlobMissing
from apps.registry.store import store

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
    pairs = _pairs(stable, candidate, since)
    differing = [row for row in pairs if not _agree(row, tolerance)]
    disagreements = [
        Disagreement(
            row.prediction,
            datetime.fromtimestamp(row.made_at, UTC),
            *map(json_or_none, (row.inputs, row.stable, row.candidate)),
        )
        for row in differing[:SHOWN]
    ]
    return Compared(len(pairs), len(differing), tolerance, disagreements)


def _agree(row: parquet.Pair, tolerance: float) -> bool:
    try:
        return agree(json.loads(row.stable), json.loads(row.candidate), tolerance)
    except (RecursionError, OverflowError):  # lists in lists without end, numbers beyond any other
        return row.stable == row.candidate


def _pairs(stable: str, candidate: str, since: datetime) -> list[parquet.Pair]:
    """Return the newest pairs; a file that is written anew meanwhile is looked for once more."""
    for _ in range(2):
        files = [_files(revision, since) for revision in (stable, candidate)]
        if not all(files):
            break
        with suppress(BlobMissing):
            return parquet.pairs(*files, since=since.timestamp(), limit=NEWEST)
    return []


def _files(revision: str, since: datetime) -> list[str]:
    parts = CapturePart.objects.filter(revision=revision, day__gte=since.date())
    digests = parts.order_by("-day", "-pk").values_list("sha256", flat=True)
    return [digest for digest in digests if store().exists(digest)]
