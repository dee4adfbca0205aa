"""What a pass of the loop remembers of a revision, and what it saw of all of them."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from placet_agent import rules
from placet_agent.downloads.preparer import Preparation
from placet_agent.process.replica import ReplicaRecord
from placet_agent.reports.counting import Count
from placet_protocol.fields import format_time
from placet_protocol.report import (
    MAX_GIVEN,
    NOT_SEEN,
    EgressCount,
    LocalAbort,
    NodeError,
    Phase,
    ProxyReport,
    RevisionReport,
    weakest,
)
from placet_protocol.state import DesiredRevision, RefusedRevision

log = logging.getLogger(__name__)


@dataclass
class RevisionMemory:
    """What the node remembers of one revision between passes; lost without harm."""

    crashes: rules.Crashes = field(default_factory=rules.Crashes)
    settings: tuple[object, ...] = ()
    phase: str = ""
    complete: bool = False  # every replica answers
    since: str = ""  # the phase or its completeness changed
    full: str = ""  # why a replica has no place in HAProxy
    progress: Preparation = field(default_factory=Preparation)

    def enter(self, revision: str, phase: str, detail: str, *, complete: bool) -> None:
        """Remember the phase of a revision, and since when it is in it."""
        if phase != self.phase:
            log.info("revision %s: %s → %s %s", revision, self.phase, phase, detail[:300])
        if (phase, complete) != (self.phase, self.complete):
            self.phase, self.complete = phase, complete
            self.since = format_time(datetime.now(UTC))


class Errors:
    """What goes wrong in a pass: reported as long as it does, in the log when it begins to."""

    def __init__(self) -> None:
        self.now: list[NodeError] = []
        self._before: list[NodeError] = []

    def begin(self) -> None:
        """Begin another pass."""
        self._before, self.now = self.now, []

    def tell(self, code: str, detail: object, *, trace: bool = False) -> None:
        """Tell of something in this pass."""
        error = NodeError(code=code, detail=str(detail)[:1900])
        if error not in self._before:
            log.error("%s: %s", code, detail, exc_info=trace)
        self.now.append(error)

    def alone(self, step: Callable[..., None], *words: object) -> None:
        """Take one step of a pass: one that cannot be taken keeps no other from it, above all not
        what stops a replica that was recalled."""
        try:
            step(*words)
        except Exception as error:
            self.tell("pass_failed", f"{type(error).__name__}: {error}", trace=True)


@dataclass(frozen=True)
class Observed:
    """What a pass saw, for the report."""

    revisions: tuple[RevisionReport, ...] = ()
    prefetched: tuple[str, ...] = ()
    recalled: tuple[str, ...] = ()
    errors: tuple[NodeError, ...] = ()
    aborts: tuple[LocalAbort, ...] = ()
    receipts: tuple[str, ...] = ()  # that the platform has not taken yet
    applied: tuple[int, int] = (0, 0)
    warm: int = 0  # processes that wait to be taken
    proxy: ProxyReport = field(default_factory=NOT_SEEN.copy)


def revision_report(
    revision: DesiredRevision,
    seen: rules.PhaseFacts,
    phase: tuple[Phase, str],
    control: RevisionMemory,
    records: Collection[ReplicaRecord],
    reached: list[EgressCount],
) -> RevisionReport:
    """Tell of a revision that the state names. Which values of secrets its replicas were given is
    said as long as they are there."""
    report = RevisionReport(
        id=revision.id,
        phase=phase[0],
        ready_replicas=seen.ready,
        weight=seen.weight,
        detail=phase[1][:1900],
        bento_digest=revision.bento_digest,
        since=control.since,
        restarts=control.crashes.total,
        isolation=weakest(record.kept for record in records),
        egress=reached,
    )
    given = {p.value for record in records if record.inner for p in record.places.values()}
    if given:
        report["secrets"] = sorted(given)[:MAX_GIVEN]
    return report


def egress_counts(counted: Iterable[Mapping[str, Count]]) -> list[EgressCount]:
    """Add up what replicas reached, by destination."""
    by_destination: dict[str, EgressCount] = {}
    for counts in counted:
        for to, count in counts.items():
            none = EgressCount(to=to, connections=0, refused=0, bytes_in=0, bytes_out=0)
            row = by_destination.setdefault(to, none)
            row["connections"] += count.connections
            row["refused"] += count.refused
            row["bytes_in"] += count.bytes_in
            row["bytes_out"] += count.bytes_out
    return [by_destination[to] for to in sorted(by_destination)]


def leaving_reports(
    records: Iterable[ReplicaRecord], known: Collection[str]
) -> list[RevisionReport]:
    """Tell of replicas whose revision is not ``known`` any more, until they are gone."""
    leaving: dict[str, list[ReplicaRecord]] = {}
    for record in records:
        if record.revision not in known:
            leaving.setdefault(record.revision, []).append(record)
    return [
        RevisionReport(
            id=revision,
            phase="drained",
            ready_replicas=0,
            weight=0,
            detail="it is not wanted any more and is being stopped",
            bento_digest=left[-1].bento_digest,
            since=format_time(datetime.fromtimestamp(left[-1].started_at or 0, UTC)),
            restarts=0,
            isolation=weakest(record.kept for record in left),
            egress=[],
        )
        for revision, left in leaving.items()
    ]


def refused_reports(
    refused: Iterable[RefusedRevision], controls: MutableMapping[str, RevisionMemory]
) -> list[RevisionReport]:
    """Tell of revisions that cannot be read; one whose id cannot be is told as an error."""
    rows = []
    for one in refused:
        if not one.id:
            continue
        control = controls.setdefault(one.id, RevisionMemory())
        if control.phase != "refused":
            control.phase, control.since = "refused", format_time(datetime.now(UTC))
        rows.append(
            RevisionReport(
                id=one.id,
                phase="refused",
                ready_replicas=0,
                weight=0,
                detail=one.reason[:1900],
                bento_digest=one.bento_digest,
                since=control.since,
                restarts=control.crashes.total,
                isolation="",
                egress=[],
            )
        )
    return rows
