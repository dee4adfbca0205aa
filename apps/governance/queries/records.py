"""What the page of a release shows of comparison and evidence at one moment: made of the same facts
for the page and for what is kept of it with each decision, as one document."""

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from apps.governance.gates.facts import Facts
from apps.governance.gates.schema import SchemaChange
from apps.governance.models import Release
from apps.governance.queries.changes import (
    Changes,
    DependencyRow,
    changes_of,
    locked,
    metric_row,
)
from apps.governance.summaries import LETTERS, summary_of
from apps.serving.rules import EndpointState
from placet_verify import canonical

VERSION = 1  # of the document: with another one its reader here stays, for what was kept before
MAX_BYTES = 64 << 10  # of one that is kept
MOST = (200, 60, 20, 5, 0)  # rows of a list: the first of these with which it is no larger
LARGEST = 4 << 10  # bytes of one value of the serving configuration


@dataclass(frozen=True, slots=True)
class LiveThen:
    """What a release is compared with."""

    release: str
    number: int
    version: int
    inputs: int
    packages: int
    is_unjustified: bool  # by the review of its emergency release


@dataclass(frozen=True, slots=True)
class PinnedThen:
    """One piece of evidence that the release pinned, as pages sum it up."""

    kind: str
    source: str
    digest: str
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LostPin:
    """One that was pinned, and is no longer as it was."""

    kind: str
    digest: str


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """What the page of a release shows at one moment, beside its gates."""

    changes: Changes
    live: LiveThen | None
    is_stopped: bool  # the endpoint
    inputs: int
    evidence: tuple[PinnedThen, ...]
    lost: tuple[LostPin, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)  # rows, by the list that had them


def record_of(row: Release, live: Release | None, facts: Facts) -> ReleaseRecord:
    """Return what the page of ``row`` shows beside what is, or was, ``live``."""
    signers = {signer.fingerprint: signer.label for signer in facts.signers}
    known = {fact.digest for fact in facts.evidence}
    return ReleaseRecord(
        changes=changes_of(row, live, facts),
        live=_live(live) if live else None,
        is_stopped=row.endpoint.state == EndpointState.STOPPED,
        inputs=_inputs(row),
        evidence=tuple(
            PinnedThen(e.kind, e.source, e.digest, summary_of(e.kind, e.data, signers))
            for e in facts.evidence
        ),
        lost=tuple(
            LostPin(pin["kind"], pin["digest"])
            for pin in row.evidence
            if pin["digest"] not in known
        ),
    )


def _live(live: Release) -> LiveThen:
    packages = len(locked(live.bento.runtime.lock))
    unjustified = bool(getattr(live, "unjustified", False))  # read with what was live last
    return LiveThen(live.pk, live.number, live.version.number, _inputs(live), packages, unjustified)


def _inputs(row: Release) -> int:
    return len((row.version.signature or {}).get("inputs") or ())


def written(record: ReleaseRecord) -> str:
    """Return ``record`` as it is kept: canonical JSON of :data:`MAX_BYTES` at most, with a fresh
    salt. What there is no room for is left out, and counted."""
    salt = base64.b64encode(os.urandom(16)).decode()
    for most in MOST:
        kept = {"v": VERSION, "salt": salt, **_document(_cut(record, most))}
        if len(text := canonical.dumps(kept)) <= MAX_BYTES:
            break
    return text.decode()


def read(document: str) -> ReleaseRecord | None:
    """Return what was :func:`written`, as the reader of its version reads it; ``None`` of a version
    that has none here."""
    kept = canonical.loads(document)
    version = kept.get("v") if isinstance(kept, dict) else None
    reader = READERS.get(version) if type(version) is int else None  # neither true nor 1.0 is 1
    return reader(kept) if reader else None


def _read_1(kept: Mapping[str, Any]) -> ReleaseRecord:
    live = kept["live"]
    return ReleaseRecord(
        changes=_changes_1(kept["changes"]),
        live=LiveThen(**live) if live else None,
        is_stopped=kept["is_stopped"],
        inputs=kept["inputs"],
        evidence=tuple(PinnedThen(**one) for one in kept["evidence"]),
        lost=tuple(LostPin(**one) for one in kept["lost"]),
        left_out=kept["left_out"],
    )


def _changes_1(kept: Mapping[str, Any]) -> Changes:
    metrics = (
        metric_row(name, _number(live), _number(proposed), kept["source"])
        for name, live, proposed in kept["metrics"]
    )
    return Changes(
        compared_with=kept["compared_with"],
        metrics=tuple(metrics),
        schema=tuple(kept["schema"]),
        dependencies=tuple(DependencyRow(*one) for one in kept["dependencies"]),
        dependency_count=kept["dependency_count"],
        policy_live=kept["policy_live"],
        policy_proposed=kept["policy_proposed"],
        serving=tuple((name, before, after) for name, before, after in kept["serving"]),
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


READERS: Mapping[int, Callable[[Mapping[str, Any]], ReleaseRecord]] = {1: _read_1}


def _document(record: ReleaseRecord) -> dict[str, Any]:
    changes = record.changes
    metrics = [[m.name, m.live, m.proposed] for m in changes.metrics]
    return {
        "changes": {
            "compared_with": changes.compared_with,
            "source": changes.metrics[0].source if changes.metrics else "",
            "metrics": metrics,
            "schema": [dict(one) for one in changes.schema],
            "dependencies": [[d.name, d.live, d.proposed] for d in changes.dependencies],
            "dependency_count": changes.dependency_count,
            "policy_live": changes.policy_live,
            "policy_proposed": changes.policy_proposed,
            "serving": [list(one) for one in changes.serving],
        },
        "live": asdict(record.live) if record.live else None,
        "is_stopped": record.is_stopped,
        "inputs": record.inputs,
        "evidence": [asdict(one) for one in record.evidence],
        "lost": [asdict(one) for one in record.lost],
        "left_out": dict(record.left_out),
    }


def _cut(record: ReleaseRecord, most: int) -> ReleaseRecord:
    """Return ``record`` with so many rows of each list, and long names cut."""
    changes = record.changes
    serving = [one for one in changes.serving if len(canonical.dumps(one[1:])) <= LARGEST]
    lists: dict[str, tuple[Sequence[Any], Sequence[Any]]] = {
        "metrics": (changes.metrics, changes.metrics[:most]),
        "schema": (changes.schema, changes.schema[:most]),
        "dependencies": (changes.dependencies, changes.dependencies[:most]),
        "serving": (changes.serving, serving[:most]),
        "evidence": (record.evidence, record.evidence[:most]),
        "lost": (record.lost, record.lost[:most]),
    }
    kept = {name: tuple(some) for name, (_, some) in lists.items()}
    return replace(
        record,
        changes=replace(
            changes,
            metrics=tuple(replace(m, name=_short(m.name)) for m in kept["metrics"]),
            schema=tuple(_short_change(one) for one in kept["schema"]),
            dependencies=kept["dependencies"],
            serving=kept["serving"],
        ),
        evidence=kept["evidence"],
        lost=kept["lost"],
        left_out={
            name: len(whole) - len(some)
            for name, (whole, some) in lists.items()
            if len(whole) > len(some)
        },
    )


def _short_change(one: SchemaChange) -> SchemaChange:
    return SchemaChange(
        side=one["side"],
        name=_short(one["name"]),
        change=_short(one["change"]),
        breaking=one["breaking"],
    )


def _short(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"
