"""Which events somebody asks for, among those that they may read: filters, and the index in which
the log has what each of them finds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, reduce
from operator import or_
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, JSONField, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import Exact, In

from apps.audit.events import kinds
from apps.audit.hooks import finder
from apps.audit.kind_groups import (
    ASKED_FOR,
    FOLLOWED,
    GROUPS,
    HOLDER_FIELDS,
    HOLDER_IDS,
    HOLDING,
    WENT_LIVE,
)
from apps.audit.models import ACTOR_PREFIX, ASKED_BY, FAMILY, Event, logged
from apps.audit.sayings import Saying, found_saying
from placet.kernel.actor import INSTANCE, SYSTEM, Actor
from placet.kernel.clock import rfc3339
from placet.kernel.filters import UNSEEN
from placet.kernel.ids import is_id
from placet.kernel.problems import FieldError, InvalidInput, NeedsPermission

TOUCHED = Func(
    F("body"), function="audit_touched", output_field=ArrayField(TextField())
)  # what migration 0003 indexes
REQUEST = Coalesce(
    Func(
        *(Cast(F("body"), JSONField()), Value("cause"), Value("request")),
        function="jsonb_extract_path_text",
        output_field=TextField(),
    ),
    Value("", TextField()),
)
EMPTY = ("", "0", "0.0", "false")  # values with which a template's field counts as missing
UNKNOWN = {
    "kind": "No event is of this kind: give one as events have it, such as release.requested, or "
    "its beginning up to a dot",
    "project": f"{UNSEEN}: give its slug, as in its page's address, or its ID",
    "environment": f"{UNSEEN}: give its name, or project/environment",
}
BEFORE_ITS_BEGIN = "Before the time since when events are asked for: give a later one"
TWICE = "Give the project once: as project/environment, or with the environment's name beside it"
MOST_FOLLOWED = 1000
MOST_PARTS = 104  # that are looked for one by one: what came of a recall, by 50 people


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to show. ``kind`` may be cut at a dot: ``release``, ``release.requested``;
    ``text`` is looked for in what kinds say, states, roles and outcomes in it too; ``actors`` and
    ``subjects`` are ids, those of ``actors`` of who did it or asked Placet to. ``cause`` is the id
    of a recall, and ``outcome`` what else tells what came of it. ``by_people`` are what people did
    and what they asked Placet to do.

    What is asked for may lie far back in a log of millions: each filter has an index of its own,
    but for ``environment``. Times are places in the log, which is in their order.
    """

    kind: str = ""
    group: str = ""  # of kind_groups.GROUPS
    families: tuple[str, ...] | None = None  # of kinds, as groups have them
    text: str = ""
    actor: str = ""
    actors: tuple[str, ...] | None = None
    subject: str = ""
    subjects: tuple[str, ...] | None = None
    cause: str = ""
    outcome: tuple[str, ...] = ()
    project: str = ""
    environment: str = ""
    since: datetime | None = None
    until: datetime | None = None
    by_people: bool = False

    @property
    def about(self) -> tuple[str, ...] | None:
        """The ids that events are to touch."""
        return (self.subject,) if self.subject else self.subjects


@dataclass(frozen=True, slots=True)
class Choice:
    """A condition of which any part may hold: ``parts`` have an index each that is in the order of
    the log, and ``whole`` has none. That may ask the database first, once."""

    whole: Callable[[], Q]
    parts: list[Q]


def by_name(wanted: EventFilter, actor: Actor, *, person: str = "", thing: str = "") -> EventFilter:
    """Narrow ``wanted`` to what people called ``person`` did, or asked Placet to do, and to what is
    called ``thing``; find what tells what came of its ``cause``; and read its places as people
    write them: a project by slug or id, an environment by name or as ``project/environment``.

    A name that nobody and nothing has finds no event, as one of what the reader may not see. Raises
    :class:`InvalidInput` for a kind, group or place that is none, or is none that they may see, and
    for a time that ends before it begins.
    """
    _refuse_unknown(wanted)
    project, environment = _place_of(wanted)
    cause = wanted.cause if is_id(wanted.cause) else ""
    place = (project, environment)
    found = finder().ids(actor, person=person, thing=thing, cause=cause, place=place)
    for name, asked, there in (
        ("project", project, found.projects),
        ("environment", environment, found.environments),
    ):
        if asked and not there:
            raise InvalidInput(errors=[FieldError(name, UNKNOWN[name])])
    return replace(
        wanted,
        actors=tuple(found.people) if person else wanted.actors,
        subjects=tuple(found.objects) if thing else wanted.subjects,
        outcome=tuple(found.outcome),
        project=found.projects[0] if project else "",
        environment=environment,
    )


def _refuse_unknown(wanted: EventFilter) -> None:
    asked = wanted.kind.rstrip(".")
    if asked and not any(f"{name}.".startswith(f"{asked}.") for name in kinds()):
        raise InvalidInput(errors=[FieldError("kind", UNKNOWN["kind"])])
    if wanted.group and wanted.group not in GROUPS:
        raise InvalidInput(errors=[FieldError("group", f"One of {', '.join(GROUPS)}")])
    if wanted.since and wanted.until and wanted.since > wanted.until:
        raise InvalidInput(errors=[FieldError("until", BEFORE_ITS_BEGIN)])


def _place_of(wanted: EventFilter) -> tuple[str, str]:
    """Return project and environment; either may be given as ``project/environment``."""
    given = wanted.environment if "/" in wanted.environment else wanted.project
    project, _, environment = given.partition("/")
    if not (project and environment):
        return wanted.project, wanted.environment
    if wanted.project and wanted.environment:
        raise InvalidInput(errors=[FieldError("environment", TWICE)])
    return project, environment


def events_visible(actor: Actor, filters: EventFilter | None = None) -> QuerySet[Event]:
    """Return the events that ``actor`` may read whole: where they hold ``audit.view``.

    Raises :class:`Forbidden` when they hold it nowhere.
    """
    return events_where(actor, "audit.view", filters or EventFilter())


def events_exportable(actor: Actor, filters: EventFilter) -> QuerySet[Event]:
    """Return the events that ``actor`` may take a copy of: where they hold ``audit.export``."""
    return events_where(actor, "audit.export", filters)


def events_where(actor: Actor, permission: str, filters: EventFilter) -> QuerySet[Event]:
    """Return the events of the places where ``actor`` holds ``permission``, if there are any."""
    if not actor.can_somewhere(permission):
        raise NeedsPermission(actor, permission, scope=None)
    read = readable(actor, permission)
    return filtered(
        Event.objects.filter(read), filters, choices(filters, causes(actor, permission))
    )


def readable(actor: Actor, permission: str = "audit.view") -> Q:
    """Return the condition under which ``actor`` may read an event (none at all: nothing)."""
    if actor.can(permission, INSTANCE):
        return Q()
    where = Q(pk__in=[])
    for grant in actor.grants:
        if grant.permission == permission and grant.scope.project:
            condition = Q(project=grant.scope.project)
            if grant.scope.environment:
                condition &= Q(environment=grant.scope.environment)
            where |= condition
    return where


def causes(actor: Actor, permission: str = "audit.view") -> Q:
    """Return the condition under which ``actor`` may know of an event that others came of: they may
    read it, or see the recall that it made. One of a project counts in every environment of it, and
    its event is in none: who reads the log of an environment sees what it did there."""
    seen = actor.projects_with("recall.view")
    return Q() if seen is None else readable(actor, permission) | Q(project__in=seen)


def filtered(
    events: QuerySet[Event], wanted: EventFilter, chosen: Iterable[Choice]
) -> QuerySet[Event]:
    """Return those of ``events`` that are wanted; ``chosen`` is what :func:`choices` says of it."""
    events = _narrowed(events, wanted)
    for choice in chosen:
        events = events.filter(choice.whole())
    return events


def newest_of(
    events: QuerySet[Event], wanted: EventFilter, chosen: Iterable[Choice], count: int
) -> QuerySet[Event, Any]:
    """Return the places of the ``count`` newest of ``events`` that are wanted, newest first;
    ``chosen`` is what :func:`choices` says of it.

    Asked for any of several things, the database goes through the log until it has met enough of
    them, or fetches all of them and sorts. So of each the newest are found, by an index that is in
    the order of the log, and of these the newest.
    """
    events, ways = _narrowed(events, wanted), [Q()]
    for choice in chosen:
        few = len(ways) * len(choice.parts) <= MOST_PARTS
        parts = choice.parts if few else [choice.whole()]
        ways = [way & part for way in ways for part in parts]
    found = [events.filter(way).order_by("-index").values("index")[:count] for way in ways]
    if not found:
        return events.none().values("index")
    if len(found) == 1:
        return found[0]
    return found[0].union(*found[1:]).order_by("-index")[:count]


def _narrowed(events: QuerySet[Event], wanted: EventFilter) -> QuerySet[Event]:
    """Apply what must hold in any case."""
    events = events.alias(family=FAMILY, prefix=ACTOR_PREFIX, asked_by=ASKED_BY)
    events = events.alias(touched=TOUCHED, request=REQUEST)
    if wanted.kind:
        family, _, rest = wanted.kind.partition(".")
        events = events.filter(family=family)
        if rest:
            events = events.filter(Q(kind=wanted.kind) | Q(kind__startswith=wanted.kind + "."))
    if wanted.about is not None:
        events = _about(events, wanted.about)
    if wanted.project:
        events = events.filter(project=wanted.project)
    if wanted.environment:
        events = events.filter(environment=wanted.environment)
    if wanted.since:
        events = events.filter(index__gte=_first_since(wanted.since))
    if wanted.until:
        events = events.filter(index__lt=Coalesce(_first_since(wanted.until), Value(2**62)))
    return events


def _about(events: QuerySet[Event], ids: tuple[str, ...]) -> QuerySet[Event]:
    """Return the events that touch one of ``ids``; of teams, people and service accounts also those
    about who is in a team and who holds a role, and those that ended that with something else: the
    deletion of a team names nobody, and holds the memberships that went with it."""
    holders = [one for one in ids if one.startswith(HOLDER_IDS)]
    if not holders:
        return touching(events, ids)
    events = events.alias(touched=TOUCHED, **{name: logged(name) for name in HOLDER_FIELDS})
    held = reduce(or_, (Q(**{f"{name}__in": holders}) for name in HOLDER_FIELDS))
    said = Event.objects.alias(**{name: logged(name) for name in HOLDER_FIELDS})
    ended = said.filter(held, kind__in=HOLDING).order_by("-index").values_list("subject", flat=True)
    rows = [*ids, *ended[:MOST_FOLLOWED]]
    return events.filter(Q(touched__overlap=rows) | (Q(kind__in=HOLDING) & held))


def choices(wanted: EventFilter, known: Q) -> list[Choice]:
    """Return what may hold in one way or another, whatever the events touch, for who may know of
    the events of which others came as :func:`causes` says. Of one search it is asked for once."""
    return list(_choices(wanted, known))


def _choices(wanted: EventFilter, known: Q) -> Iterator[Choice]:
    """Yield the same; the columns are those of :func:`_narrowed`. Those whose ``whole`` asks the
    database come first: of them there are few parts, which need none."""
    if wanted.cause:
        yield _came_of(wanted.cause, wanted.outcome, known)
    for ids in ((wanted.actor,) if wanted.actor else None, wanted.actors):
        if ids is not None:
            yield _done_by(ids, known)
    for families in (GROUPS[wanted.group].families if wanted.group else None, wanted.families):
        if families is not None:
            yield _any_of([Q(family=family) for family in families])
    if wanted.text:
        yield _any_of([_says(saying) for saying in found_saying(wanted.text)])
    if wanted.by_people:
        asked = [Q(kind=kind, asked_by__startswith="per_") for kind in ASKED_FOR]
        yield _any_of([Q(prefix="per"), *asked])


def _any_of(parts: list[Q]) -> Choice:
    return Choice(lambda: reduce(or_, parts, Q(pk__in=[])), parts)


def _says(saying: Saying) -> Q:
    """Return the condition that an event says this: among those of its kind, by its data."""
    said = Q(kind=saying.kind)
    for name, value in saying.values.items():
        said &= Q(Exact(logged(name), Value(value)))
    for name in saying.has:
        said &= ~_misses(name)
    for names in saying.lacks:
        said &= reduce(or_, (_misses(name) for name in names))
    return said


def _misses(name: str) -> Q:
    return Q(In(Coalesce(logged(name), Value("", TextField())), EMPTY))


def _done_by(ids: tuple[str, ...], known: Q) -> Choice:
    """What these did, what Placet did because they asked, and what came of what they did."""
    asked, by_itself = Q(kind__in=ASKED_FOR, asked_by__in=ids), Q(actor_id=SYSTEM.id)
    begun = _begun(known, actor_id__in=ids)
    return Choice(
        cache(lambda: Q(actor_id__in=ids) | asked | (by_itself & _known(begun))),
        [*(Q(actor_id=one) for one in ids), asked, by_itself & _with(begun)],
    )


def _came_of(cause: str, outcome: tuple[str, ...], known: Q) -> Choice:
    """What was logged with what happened to ``cause`` first, what tells of it since, and what was
    logged as another release went live because of it."""
    begun = _begun(known, subject=cause)
    since = Subquery(begun.values("index")[:1])
    told = {"touched__overlap": list(outcome), "index__gte": since}
    back = Event.objects.alias(touched=TOUCHED, request=REQUEST)
    back = back.filter(known, kind=WENT_LIVE, **told).order_by("-index")[:MOST_FOLLOWED]
    later = Q(**told)
    return Choice(
        cache(lambda: _known(begun) | _known(back) | later), [_with(begun), _with(back), later]
    )


def _begun(known: Q, **said: Any) -> QuerySet[Event]:
    """Return the newest events, as they are said to be, that other things came of: of those that
    may be ``known``, or a search would tell who made a recall that is not visible."""
    events = Event.objects.filter(known, kind__in=FOLLOWED, **said).alias(request=REQUEST)
    return events.order_by("-index")[:MOST_FOLLOWED]


def _with(begun: QuerySet[Event]) -> Q:
    """Return the condition that an event was logged with ``begun``: all of a unit of work have one
    time. They have one request too: while the clock is behind, the time of the log stands still."""
    return Q(at__in=begun.values("at"), request__in=begun.values(asked=REQUEST))


def _known(begun: QuerySet[Event]) -> Q:
    """Return the same (one query) for where it is one way of several: what such a condition is
    about must be known beforehand to be found by an index."""
    found = list(begun.values_list("at", REQUEST))
    return Q(at__in=[at for at, _ in found], request__in={one for _, one in found})


def _first_since(at: datetime) -> Subquery:
    """Return where the events from then on begin: found once, by the index of times."""
    later = Event.objects.filter(at__gte=rfc3339(at)).order_by("at", "index")
    return Subquery(later.values("index")[:1])


def touching(events: QuerySet[Event], ids: Iterable[str]) -> QuerySet[Event]:
    """Return the events whose subject, or any row whose state they hold, is one of ``ids``."""
    return events.alias(touched=TOUCHED).filter(touched__overlap=list(ids))
