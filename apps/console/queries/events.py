"""The events of the log as the pages show them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from django.urls import reverse

from apps.audit.events import declared
from apps.audit.hooks import Told
from apps.audit.kind_groups import GROUPS
from apps.audit.queries import (
    EventFilter,
    LogStanding,
    TimelineEntry,
    log_standing,
    newest,
    timeline,
    unseal_many,
)
from apps.console.queries.actor_names import attributed, by_machine
from apps.console.queries.event_sentences import in_names, in_words
from apps.console.queries.object_names import Named, object_names
from apps.console.queries.page_parts import counted
from apps.console.templatetags.placet import number
from apps.discussions.events import TALK
from apps.rollouts.rules.facts import NO_REASON
from placet.kernel.actor import INSTANCE, Actor, Scope

REVIEWS = "release.review_"  # how the kinds of events of who was asked by name begin
PAGE = 50
FOLDED = 4  # from so many steps in a row on, the platform's are one line that opens
QUIET = {"session", "upload", "prefetch"}  # what people do in passing
STRONG = {
    "release.requested",
    "release.decided",
    "release.withdrawn",
    "release.rejected",
    "release.changes_lifted",
    "release.review_requested",
    "release.review_unrequested",
    "signing_key.added",
    "signing_key.revoked",
    "policy.drafted",
    "policy.published",
    "freeze.set",
    "freeze.lifted",
    "role.granted",
    "role.revoked",
    "rollout.rollback_started",
    "rollout.analyses_passed",
    "rollout.passing_confirmed",
    "endpoint.stopped",
    "endpoint.started",
    "access.denied",
    "target.join_token_issued",
    "person.erased",
}
REASONED = {
    f"{kind}.v1"
    for kind in (
        *("endpoint.stopped", "endpoint.started", "drill.started"),
        *("rollout.started", "rollout.rollback_started", "rollout.aborting", "rollout.failed"),
        *("rollout.paused", "rollout.resumed", "rollout.promoted", "rollout.shipped"),
        "rollout.step_skipped",
    )
}
UNSAID = ("", NO_REASON)  # what stands as a reason without being anybody's words


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event as a line: who did what, when, and where it stands in the log."""

    index: int
    at: datetime | None  # None where that cannot be read any more
    kind: str
    sentence: str
    actor_name: str
    thing: Named | None = None  # what it was done to, unless that is what the page is about
    where: str = ""  # in words, unless the whole page is about that place
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
        signed = self.standing.signed
        return f"{events}, signed up to {number(signed)}" if self.standing.signed_at else events

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
    place: Scope = INSTANCE,
    limit: int = 60,
    kinds: tuple[str, ...] = (),
) -> tuple[list[EventLine], dict[str, str]]:
    """Return what happened to these objects, newest first, and the names of everybody in it; with
    ``kinds`` only events of those. What people say to each other stands in their discussions.

    The page is about the first of them, at ``place``. ``people`` are actor ids that it names
    besides, so that names are looked up once.
    """
    entries = timeline(ids, actor, limit=limit, kinds=kinds, without=TALK)
    names = _names(entries, actor, place, people)
    lines = [_line(entry, names, actor, place, but=ids[0]) for entry in entries]
    return lines, {one: one for one in people} | {pk: one.name for pk, one in names.items()}


def reasons_of(lines: Iterable[EventLine]) -> dict[int, str]:
    """Return why, in the words of who did it, by the index of a line, in one query. What somebody
    says of a row stays in it: so only kinds by which a reason is given are asked."""
    given = {line.index: line.reason for line in lines if line.kind in REASONED and line.reason}
    texts = unseal_many(given.values())
    return {index: texts[reason] for index, reason in given.items() if texts[reason] not in UNSAID}


def event_list_page(
    actor: Actor, *, filters: EventFilter, before: int | None = None
) -> EventListPage:
    """Return one page of the events that ``actor`` may read, newest first."""
    found = newest(actor, filters, PAGE + 1, before)
    entries = found[:PAGE]
    return EventListPage(
        lines=named_lines(entries, actor),
        older=entries[-1].index if len(found) > PAGE else None,
        standing=log_standing(),
    )


def named_lines(
    entries: Sequence[TimelineEntry], actor: Actor, *, place: Scope = INSTANCE
) -> list[EventLine]:
    """Return events as lines with the names of who did them, of what, and of where, but of the
    ``place`` that the whole page is about."""
    names = _names(entries, actor, place)
    return [_line(entry, names, actor, place) for entry in entries]


def _names(
    entries: Sequence[TimelineEntry], actor: Actor, place: Scope, people: Iterable[str] = ()
) -> dict[str, Named]:
    """Return what everything in these events is called (one query)."""
    things = {one for entry in entries for one in entry.about}
    projects = {entry.place.project for entry in entries} - {None, place.project}
    actors = {one for entry in entries for one in (doer(entry), entry.actor_id)}
    actors |= {*people, *people_in(entries, actor)}
    return object_names(things.union(filter(None, projects)), actor, actors=actors - {""})


def told(entries: Sequence[TimelineEntry], actor: Actor) -> Iterator[Told]:
    """Yield events as their lines say them, as plain text; see :class:`apps.audit.hooks.Teller`."""
    names = _names(entries, actor, INSTANCE)
    for entry in entries:
        line, known = _line(entry, names, actor, INSTANCE), _known(entry, names, actor)
        said = in_words(entry.kind, entry.data, known) if entry.intact else entry.line
        who, project = names.get(entry.actor_id), names.get(entry.place.project or "")
        yield Told(
            sentence=f"{said}{attributed(entry.kind, line.actor_id)} {line.actor_name}",
            actor_name=who.name if who else "",
            about_name=line.thing.name if line.thing else "",
            project_name=project.name if project else "",
            page=_page(entry, known),
        )


def _page(entry: TimelineEntry, names: Mapping[str, Named]) -> str:
    """Return the path of the page of what an event is about: of the nearest that has one."""
    for one in entry.about:
        if one.startswith("thr_"):  # the subject, or what the event says besides
            return reverse("thread", args=[one])
    if entry.subject.startswith("alr_"):
        return reverse("alerts")
    pages = (names[one].url for one in entry.about if one in names)
    return next(filter(None, pages), "")


def doer(entry: TimelineEntry) -> str:
    """Return who is named for an event, by id: who asked the platform for it, where the event says
    that, as the page of a release does too."""
    return str(entry.data.get("asked_by") or entry.actor_id)


def people_in(entries: Iterable[TimelineEntry], actor: Actor) -> Iterator[str]:
    """Yield whom events are about, people, teams, services and nodes, where the reader may know
    them: they are it themselves, or the page of the release says who was asked."""
    for entry in entries:
        of_people = "release.view" if entry.kind.startswith(REVIEWS) else "access.view"
        for one in entry.about:
            needed = "target.view" if one.startswith("nod_") else of_people
            if actor.can(needed, entry.place) or one == actor.accountable:
                yield one


def _known(entry: TimelineEntry, names: Mapping[str, Named], actor: Actor) -> Mapping[str, Named]:
    """Return those of ``names`` that the reader of an event may know: whom it is about may have a
    name there as who did something else."""
    about = {one for one in entry.about if one.startswith(("per_", "svc_", "tem_", "nod_"))}
    hidden = about - {doer(entry), *people_in([entry], actor)}
    return {pk: one for pk, one in names.items() if pk not in hidden} if hidden else names


def _line(
    entry: TimelineEntry, names: Mapping[str, Named], actor: Actor, place: Scope, but: str = ""
) -> EventLine:
    by, who = doer(entry), names.get(doer(entry))
    names = _known(entry, names, actor)
    about = next((one for one in entry.about if one in names or one == but), "")
    said = declared(entry.kind).ids_in(entry.data)
    told = not entry.intact or about in {but, by, place.project} | said
    thing = None if told else names.get(about)
    where = _where(entry, names, place, thing)
    return EventLine(
        index=entry.index,
        at=entry.at,
        kind=entry.kind,
        sentence=in_names(entry.kind, entry.data, names) if entry.intact else entry.line,
        actor_name=(who.name if who else by) or "unknown actor",
        thing=thing,
        where="" if not entry.intact or entry.place.project in said else where,
        place=entry.place,
        machine=entry.intact and by_machine(by),
        reason=entry.reason,
        subject=entry.subject,
        intact=entry.intact,
        actor_id=by,
        data=entry.data,
    )


def _where(
    entry: TimelineEntry, names: Mapping[str, Named], place: Scope, thing: Named | None
) -> str:
    """Return environment and project, of these what neither the thing's name nor the page says."""
    at, said = entry.place, thing.name if thing else ""
    environment = "" if at.environment == place.environment else at.environment or ""
    if said == environment or said.endswith((f" in {environment}", f" of {environment}")):
        environment = ""
    project = names.get(at.project or "") if at.project not in entry.about[:1] else None
    name = project.name if project and at.project != place.project else ""
    return ", ".join(text for text in (environment, name) if text)
