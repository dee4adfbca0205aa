"""The events of the log as the pages show them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from apps.audit.kind_groups import GROUPS
from apps.audit.models import Checkpoint
from apps.audit.queries import (
    EventFilter,
    LogStanding,
    TimelineEntry,
    latest_checkpoint,
    log_standing,
    newest,
    timeline,
)
from apps.console.queries.actor_names import actor_names, by_machine
from apps.console.queries.page_parts import counted
from apps.console.templatetags.placet import number
from placet.kernel.actor import INSTANCE, Actor, Scope

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
    at: datetime | None  # None where that cannot be read any more
    kind: str
    sentence: str
    actor_name: str
    place: Scope = INSTANCE
    machine: bool = False
    reason: str = ""  # the commitment to why
    subject: str = ""  # by id
    intact: bool = True
    actor_id: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tone(self) -> str:
        """Tell how it is set: decisions of people stand out, bookkeeping steps back."""
        if not self.intact:
            return "tampered"
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
        return f"events {number(self.lines[-1].index)} to {number(self.lines[0].index)}"


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
        lines=named_lines(entries),
        older=entries[-1].index if len(found) > PAGE else None,
        standing=log_standing(),
        signed=latest_checkpoint(),
    )


def named_lines(entries: Sequence[TimelineEntry]) -> list[EventLine]:
    """Return events as lines with the names of who did them."""
    return _lines(entries, actor_names({e.actor_id for e in entries}))


def _lines(entries: Iterable[TimelineEntry], names: Mapping[str, str]) -> list[EventLine]:
    return [
        EventLine(
            index=e.index,
            at=e.at,
            kind=e.kind,
            sentence=e.line,
            actor_name=names.get(e.actor_id, e.actor_id) or "unknown actor",
            place=e.place,
            machine=e.intact and by_machine(e.actor_id),
            reason=e.reason,
            subject=e.subject,
            intact=e.intact,
            actor_id=e.actor_id,
            data=e.data,
        )
        for e in entries
    ]
