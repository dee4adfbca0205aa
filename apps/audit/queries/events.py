"""Events through the eyes of an actor."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import F, Func, JSONField, Q, QuerySet

from apps.audit.errors import Archived
from apps.audit.events import NO_NAMES, declared
from apps.audit.models import Event
from apps.audit.queries.archived import archive_of
from apps.audit.queries.bodies import BLANK, CHANGED, INTACT, body_of, is_event, states_of
from apps.audit.queries.filtering import (
    EventFilter,
    causes,
    choices,
    events_visible,
    newest_of,
    readable,
    touching,
)
from apps.audit.queries.texts import texts_in
from apps.audit.rows import sealed_columns
from placet.kernel.actor import Actor, Scope
from placet.kernel.ids import is_id
from placet.kernel.problems import NotFound
from placet_verify.log.merkle import leaf_hash

# A body for lists: the states of its rows may have megabytes. OFFSET has the text read as JSON
# once; what is no object any more, because somebody wrote over it, is none of SQL's business.
WITHOUT_STATES = Func(
    F("body"),
    template="""(
        SELECT CASE jsonb_typeof(it) WHEN 'object' THEN it - 'after' END
        FROM (SELECT %(expressions)s::jsonb AS it OFFSET 0) AS said
    )""",
    output_field=JSONField(),
)


# Columns by which a row says what it belongs to, the nearest first: ids, where they hold any.
BELONGS = (
    *("release_id", "holder", "endpoint_id", "version_id", "environment_id", "model_id"),
    *("what", "about", "subject", "person_id", "team_id", "service_account_id", "target_id"),
)

# As one, but that the row it is about keeps its ``reason`` and what it belongs to.
WITH_SUBJECT = Func(
    F("body"),
    template="""(
        SELECT CASE jsonb_typeof(it) WHEN 'object' THEN
            it - 'after' || jsonb_build_object('after', CASE jsonb_typeof(it -> 'after')
                WHEN 'object' THEN (
                    SELECT coalesce(
                        jsonb_object_agg(key, jsonb_build_object(%(columns)s)), '{}')
                    FROM jsonb_each(it -> 'after') AS each (key, state)
                    WHERE substr(key, strpos(key, ':') + 1) = it ->> 'subject'
                        AND jsonb_typeof(state) = 'object'
                ) END)
        END
        FROM (SELECT %(expressions)s::jsonb AS it OFFSET 0) AS said
    )""",
    columns=", ".join(f"'{name}', state -> '{name}'" for name in ("reason", *BELONGS)),
    output_field=JSONField(),
)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of a timeline."""

    index: int
    at: datetime | None  # None where that cannot be read any more
    kind: str
    line: str
    actor_id: str
    place: Scope
    reason: str = ""  # the commitment to why, where the subject says so
    subject: str = ""
    about: tuple[str, ...] = ()  # ids: its subject, and then what that belongs to, nearest first
    intact: bool = True  # it still is what was logged
    data: Mapping[str, Any] = field(default_factory=dict)  # what its kind declares


def newest(
    actor: Actor, filters: EventFilter, count: int, before: int | None
) -> list[TimelineEntry]:
    """Return the ``count`` newest events that ``actor`` may read, of those ``before`` an index, as
    lines.

    What very many events touch, PostgreSQL would fetch whole and sort. The events *about* it come
    in order from an index of their own, and say how far back one must look for all.
    """
    events = _before(events_visible(actor), before)
    chosen = choices(filters, causes(actor))
    if filters.about:
        others = replace(filters, subject="", subjects=None)
        about = newest_of(events.filter(subject__in=filters.about), others, chosen, count)
        for floor in about.values_list("index", flat=True)[count - 1 : count]:
            events = events.filter(index__gte=floor)
    return _lines(newest_of(events, filters, chosen, count))


def newest_of_project(
    project: str, families: Iterable[str], count: int, before: int | None
) -> list[TimelineEntry]:
    """Return the ``count`` newest events of a project, of those ``before`` an index and of these
    families of kinds, as lines. For a caller who has found that their reader may see what events
    of these kinds are about."""
    wanted = EventFilter(project=project, families=tuple(families))
    events = _before(Event.objects.all(), before)
    return _lines(newest_of(events, wanted, choices(wanted, Q()), count))


def _before(events: QuerySet[Event], index: int | None) -> QuerySet[Event]:
    return events if index is None else events.filter(index__lt=index)


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row before and after an event; ``None`` where it did not exist."""

    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @property
    def changed(self) -> list[str]:
        """Return the names of the columns that differ."""
        before, after = self.before or {}, self.after or {}
        return sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))

    @property
    def sealed(self) -> frozenset[str]:
        """Return the names of the columns that hold commitments."""
        return frozenset(sealed_columns(self.key))


@dataclass(frozen=True, slots=True)
class EventDetail:
    """One event, opened.

    ``text`` is what was hashed; ``texts`` gives the text behind each commitment in ``changes``, of
    the columns that hold commitments alone.
    """

    index: int
    leaf_hash: str
    text: str
    body: dict[str, Any]
    sentence: str
    intact: bool
    changes: list[RowChange] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def event_detail(index: int, actor: Actor) -> EventDetail:
    """Return event ``index`` with what it changed; raise :class:`NotFound` if it is hidden, and
    :class:`Archived` with the name of the file if its body is not here any more."""
    event = Event.objects.filter(readable(actor), pk=min(index, 2**62)).first()
    if event is None:
        if archived := archive_of(index, actor):
            raise Archived(f"See the archive {archived[1].pk}, file {archived[1].file}")
        raise NotFound
    body = body_of(event.body)
    changes = _changes(event.index, states_of(body))
    return EventDetail(
        index=event.index,
        leaf_hash=bytes(event.leaf_hash).hex(),
        text=event.body,
        body=body,
        sentence=sentence_of(body),
        intact=leaf_hash(event.body.encode()) == bytes(event.leaf_hash),
        changes=changes,
        texts=texts_in((c.key, state) for c in changes for state in (c.before, c.after)),
    )


def sentence_of(body: dict[str, Any]) -> str:
    """Return what an event says, with values as they were logged."""
    return declared(body["kind"]).sentence(body["data"]) if body["kind"] else CHANGED


def line_of(body: dict[str, Any], names: Mapping[str, str] = NO_NAMES) -> str:
    """Return what an event says, as people read it, with ids by their ``names``."""
    return declared(body["kind"]).line(body["data"], names) if body["kind"] else CHANGED


def may_prove(index: int, actor: Actor) -> None:
    """Raise :class:`NotFound` unless ``actor`` may read the event, archived or not."""
    here = Event.objects.filter(readable(actor), pk=min(index, 2**62)).exists()
    if not here and archive_of(index, actor) is None:
        raise NotFound


def _changes(index: int, after: dict[str, Any]) -> list[RowChange]:
    before = _states_before(index, set(after))
    return [RowChange(key, before.get(key), state) for key, state in after.items()]


def _states_before(index: int, keys: set[str]) -> dict[str, Any]:
    """Return the newest state of each row before event ``index``, going back only as needed."""
    newest_states: dict[str, Any] = {}
    by_id = defaultdict(set)
    for key in keys:
        by_id[key.partition(":")[2]].add(key)
    for row_id, wanted in by_id.items():
        earlier = Event.objects.filter(index__lt=index).order_by("-index")
        earlier = touching(earlier, [row_id])
        for body in earlier.values_list("body", flat=True).iterator(chunk_size=20):
            states = states_of(body_of(body))
            newest_states.update(
                {k: states[k] for k in wanted - newest_states.keys() if k in states}
            )
            if wanted <= newest_states.keys():
                break
    return newest_states


def timeline(
    subject_ids: Iterable[str],
    actor: Actor,
    *,
    limit: int = 100,
    kinds: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
) -> list[TimelineEntry]:
    """Return what happened to these objects, the newest first; with ``kinds`` only events of those,
    and of none in ``without``.

    For pages of objects that the caller has already found visible: whoever sees an object sees
    its timeline. Events of projects that ``actor`` does not see are left out all the same.
    """
    wanted = sorted({str(i) for i in subject_ids if i})
    if not wanted:
        return []
    events = touching(Event.objects.all(), wanted)
    events = events.filter(kind__in=kinds) if kinds else events
    events = events.exclude(kind__in=without) if without else events
    projects = actor.projects_with("project.view")
    if projects is not None:
        events = events.filter(Q(project__isnull=True) | Q(project__in=projects))
    return _lines(events.order_by("-index").values("index")[:limit])


def _lines(places: QuerySet[Event, Any]) -> list[TimelineEntry]:
    """Return the events at these places as lines, newest first; no other body is looked into."""
    chosen = Event.objects.filter(index__in=places)
    said = chosen.annotate(said=WITH_SUBJECT, intact=INTACT).order_by("-index")
    return [_line(*row) for row in said.values_list("index", "said", "intact")]


def entry_of(event: Event) -> TimelineEntry:
    """Return an event that was read whole as a line."""
    intact = leaf_hash(event.body.encode()) == bytes(event.leaf_hash)
    return _line(event.index, body_of(event.body), intact)


def _line(index: int, said: Any, intact: bool) -> TimelineEntry:
    body = said if is_event(said) else BLANK
    return TimelineEntry(
        index=index,
        at=datetime.fromisoformat(body["at"]) if body["at"] else None,
        kind=body["kind"],
        line=line_of(body) if intact else CHANGED,
        actor_id=body["actor_id"],
        place=Scope(body["project"], body["environment"]),
        reason=_reason(body),
        subject=body["subject"],
        about=about_of(body),
        intact=intact and bool(body["kind"]),
        data=body["data"] if intact else {},
    )


def about_of(body: dict[str, Any]) -> tuple[str, ...]:
    """Return the ids of what an event is about: its subject, what that belongs to by its row, and
    what the event says beside it. Rows may be gone: what they belonged to often is not."""
    states = (s for key, s in states_of(body).items() if key.partition(":")[2] == body["subject"])
    row = next((state for state in states if state), {})
    ids = (body["subject"], *(row.get(name) for name in BELONGS), *body["data"].values())
    return tuple(dict.fromkeys(i for i in ids if isinstance(i, str) and is_id(i)))


def _reason(body: dict[str, Any]) -> str:
    for key, state in states_of(body).items():
        if state and key.partition(":")[2] == body["subject"]:
            return str(state.get("reason", "")) if "reason" in sealed_columns(key) else ""
    return ""
