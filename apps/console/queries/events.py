"""The events of the log as the pages show them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from apps.audit.kind_groups import GROUPS
from apps.audit.models import Archive, ArchivedLeaf, Checkpoint
from apps.audit.queries import (
    EventDetail,
    EventFilter,
    InclusionProof,
    LogStanding,
    RowChange,
    TimelineEntry,
    event_detail,
    inclusion,
    latest_checkpoint,
    log_standing,
    newest,
    timeline,
)
from apps.audit.queries.archived import archive_of
from apps.console.queries.actor_names import actor_names, by_machine
from apps.console.queries.page_parts import counted
from apps.console.templatetags.placet import number
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound, Problem

PAGE = 50
FOLDED = 4  # from so many steps in a row on, the platform's are one line that opens
QUIET = {"session", "upload", "prefetch"}  # what people do in passing
STRONG = {
    "release.requested",
    "release.decided",
    "release.withdrawn",
    "release.rejected",
    "signing_key.added",
    "signing_key.revoked",
    "policy.drafted",
    "policy.published",
    "freeze.set",
    "freeze.lifted",
    "role.granted",
    "role.revoked",
    "rollout.rollback_started",
    "endpoint.stopped",
    "endpoint.started",
    "access.denied",
    "target.join_token_issued",
    "person.erased",
}


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event as a line: who did what, when, and where it stands in the log."""

    index: int
    at: datetime
    kind: str
    sentence: str
    actor_name: str
    machine: bool = False
    reason: str = ""  # the commitment to why
    subject: str = ""  # by id

    @property
    def tone(self) -> str:
        """Tell how it is set: decisions of people stand out, bookkeeping steps back."""
        kind = self.kind.rsplit(".v", 1)[0]
        if self.machine or kind.split(".")[0] in QUIET:
            return "machine"
        return "decided" if kind in STRONG else ""


@dataclass(frozen=True, slots=True)
class EventLines:
    """Lines in a row that are all of people, or all of the platform."""

    lines: list[EventLine]

    @property
    def is_folded(self) -> bool:
        """Whether they are shown as one line that opens."""
        return self.lines[0].machine and len(self.lines) >= FOLDED

    @property
    def leaves(self) -> str:
        """Where they stand in the log, oldest first."""
        return f"leaves {number(self.lines[-1].index)} to {number(self.lines[0].index)}"


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """One column before and after."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """One row that an event changed."""

    key: str
    columns: list[ColumnChange]
    made: bool
    gone: bool

    @property
    def change(self) -> str:
        """What became of it."""
        return "made" if self.made else "removed" if self.gone else "changed"


@dataclass(frozen=True, slots=True)
class EventPage:
    """An event, opened: what it changed and the proof that it is in the log."""

    detail: EventDetail
    at: datetime
    actor_name: str
    rows: list[ChangedRow]
    proof: InclusionProof | None
    why_not: str
    body: str

    @property
    def subject(self) -> str:
        """What it is about, by id."""
        return str(self.detail.body["subject"])

    @property
    def causes(self) -> list[tuple[str, str]]:
        """What it came of, beside who did it: a label and an id each."""
        body = self.detail.body
        causes = (
            ("With token", body["actor"].get("token")),
            ("Request", body["cause"].get("request")),
            ("Job", body["cause"].get("job")),
        )
        return [(label, value) for label, value in causes if value]


@dataclass(frozen=True, slots=True)
class EventListPage:
    """One page of the log with its head."""

    lines: list[EventLine]
    older: int | None
    standing: LogStanding
    signed: Checkpoint | None

    @property
    def groups(self) -> list[tuple[str, str]]:
        """What kinds of event there are, in groups."""
        return [(name, group.title) for name, group in GROUPS.items()]

    @property
    def names(self) -> list[str]:
        """Who did what is shown, each once: to choose from."""
        return sorted({line.actor_name for line in self.lines if not line.machine})

    @property
    def counted(self) -> str:
        """How many events there are, and how many are signed."""
        events = counted(self.standing.size, "event")
        return f"{events}, signed up to {number(self.signed.size)}" if self.signed else events

    @property
    def runs(self) -> list[EventLines]:
        """Its lines, those of the platform that follow each other together."""
        return [
            EventLines(list(lines)) for _, lines in groupby(self.lines, key=lambda row: row.machine)
        ]


def story(
    ids: list[str],
    actor: Actor,
    *,
    people: Iterable[str] = (),
    known: Mapping[str, str] | None = None,
    limit: int = 60,
) -> tuple[list[EventLine], dict[str, str]]:
    """Return what happened to these objects, newest first, and the names of everybody in it.

    ``people`` are actor ids that the page names besides, so that names are looked up once; the
    names in ``known`` need no looking up.
    """
    entries = timeline(ids, actor, limit=limit)
    named = dict(known or {})
    names = actor_names({e.actor_id for e in entries}.union(people) - named.keys()) | named
    return _lines(entries, names), names


def event_list_page(
    actor: Actor, *, filters: EventFilter, before: int | None = None
) -> EventListPage:
    """Return one page of the events that ``actor`` may read, newest first."""
    found = newest(actor, filters, PAGE + 1, before)
    entries = found[:PAGE]
    return EventListPage(
        lines=_lines(entries, actor_names({e.actor_id for e in entries})),
        older=entries[-1].index if len(found) > PAGE else None,
        standing=log_standing(),
        signed=latest_checkpoint(),
    )


def _lines(entries: Iterable[TimelineEntry], names: Mapping[str, str]) -> list[EventLine]:
    return [
        EventLine(
            index=e.index,
            at=e.at,
            kind=e.kind,
            sentence=e.line,
            actor_name=names.get(e.actor_id, e.actor_id),
            machine=by_machine(e.actor_id),
            reason=e.reason,
            subject=e.subject,
        )
        for e in entries
    ]


def event_page(index: int, actor: Actor) -> EventPage:
    """Return one event, opened, or raise ``NotFound``."""
    detail = event_detail(index, actor)
    proof, why_not = None, ""
    try:
        proof = inclusion(index)
    except Problem as problem:
        why_not = problem.detail
    actor_id = detail.body["actor_id"]
    return EventPage(
        detail=detail,
        at=datetime.fromisoformat(detail.body["at"]),
        actor_name=actor_names([actor_id]).get(actor_id, actor_id),
        rows=_rows(detail),
        proof=proof,
        why_not=why_not,
        body=json.dumps(detail.body, indent=2, ensure_ascii=False),
    )


@dataclass(frozen=True, slots=True)
class ArchivedEventPage:
    """What is left here of an archived event: its leaf, the proof, and the name of the file."""

    leaf: ArchivedLeaf
    archive: Archive
    proof: InclusionProof

    @property
    def events(self) -> str:
        """Which events the file holds."""
        file = self.archive
        return f"{number(file.first)} to {number(file.last)}, {number(file.count)} of them"

    @property
    def command(self) -> str:
        """What checks the event in the file."""
        event = self.leaf.index
        return f"python -m placet_verify archive FILE --root root.pub --event {event}"


def archived_event_page(index: int, actor: Actor) -> ArchivedEventPage:
    """Return an archived event, or raise ``NotFound``."""
    archived = archive_of(index, actor)
    if archived is None:
        raise NotFound
    return ArchivedEventPage(*archived, proof=inclusion(index))


def _rows(detail: EventDetail) -> list[ChangedRow]:
    return [
        ChangedRow(
            key=change.key,
            columns=[_column(change, name, detail.texts) for name in change.changed],
            made=change.before is None,
            gone=change.after is None,
        )
        for change in detail.changes
    ]


def _column(change: RowChange, name: str, texts: dict[str, str]) -> ColumnChange:
    opened = texts if name in change.sealed else {}
    before, after = change.before or {}, change.after or {}
    return ColumnChange(name, _shown(before.get(name), opened), _shown(after.get(name), opened))


def _shown(value: Any, texts: dict[str, str]) -> str:
    if isinstance(value, str):
        sealed = texts.get(value)
        return sealed if sealed and sealed != "[erased]" else value
    text = "" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) < 400 else text[:400] + " …"
