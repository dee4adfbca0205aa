"""What served at an instant, and who approved it: from the log and the nodes' receipts.

Of today's rows only which endpoints and revisions there have ever been, and what their versions
are called. What each of them got when, and the permit that let it, is read from its events.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from django.db.models import QuerySet

from apps.assurance.periods import Period, Service, Switch, periods, service_at, state_at, switch_at
from apps.assurance.queries.approved import NOTHING_APPROVED, Approved, approved_by
from apps.assurance.queries.served_events import (
    RunReceipt,
    Standing,
    Told,
    changed,
    standing_at,
    switches_of,
    told_of,
)
from apps.assurance.queries.stops import EndpointStop, stops_of
from apps.serving.models import Endpoint
from apps.serving.queries import visible_endpoints
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput


@dataclass(frozen=True, slots=True)
class ServedRevision:
    """A revision that served at an instant, and what let it."""

    id: str
    number: int
    bento: str
    service: Service
    approved: Approved
    receipts: tuple[RunReceipt, ...]


@dataclass(frozen=True, slots=True)
class RevisionHistory:
    """When a revision served, and what let it."""

    id: str
    number: int
    periods: list[Period]
    approved: Approved


@dataclass(frozen=True, slots=True)
class Deployment:
    """An endpoint at an instant: its state then, and what served there.

    ``faults`` say why this may not be all, a sentence each.
    """

    endpoint: Endpoint
    at: datetime
    state: str
    revisions: list[ServedRevision]
    history: list[RevisionHistory] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    switch: Switch | None = None  # what brought it into its state
    stop: EndpointStop | None = None  # who had stopped it, once with_stops has said so

    @property
    def stopped(self) -> Switch | None:
        """Return the event by which it had been stopped, if it was."""
        return self.switch if self.state == "stopped" else None


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read of all endpoints together."""

    switches: Mapping[str, list[Switch]]
    standing: Mapping[str, list[Standing]]
    told: Mapping[str, Told]
    approved: Mapping[str, Approved]


def instant_of(text: str) -> datetime:
    """Return the instant that somebody asks about: now for '', UTC where no zone is said.

    Raises :class:`InvalidInput` for what is no time, and for one to come: nobody knows yet.
    """
    if not text.strip():
        return now()
    try:
        at = datetime.fromisoformat(text.strip())
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(errors=[FieldError("at", TIME)]) from None
    if at.year < 1970:  # nor can a month before it be looked at where the calendar begins
        raise InvalidInput(errors=[FieldError("at", "There was nothing yet: choose a later time")])
    if at > now():
        raise InvalidInput(
            errors=[FieldError("at", "It is still to come: choose a time until now")]
        )
    return at


TIME = "A date and time like 2026-03-14T10:00Z; without a zone it is UTC"


def endpoints_ever(actor: Actor, *, project: str = "", environment: str = "") -> QuerySet[Endpoint]:
    """Return the endpoints that ``actor`` may see, those that were deleted too."""
    rows = visible_endpoints(actor, deleted=True)
    rows = rows.filter(project__slug=project) if project else rows
    return rows.filter(environment=environment) if environment else rows


def deployments(
    endpoints: Sequence[Endpoint], at: datetime, *, since: datetime | None = None
) -> list[Deployment]:
    """Return what served behind each of these endpoints at an instant, in their order; what was
    not made yet or deleted before is left out, unless it served ``since`` that time.

    ``since`` asks for the history from then on too. Six queries at most, however many there are;
    whoever calls has found the endpoints visible.
    """
    ids = [row.pk for row in endpoints]
    standing = standing_at(ids, at, since)
    told = told_of([row.id for rows in standing.values() for row in rows if row.counts], at)
    approved = approved_by(one.permit for one in told.values())
    found = _Found(switches_of(ids), standing, told, approved)
    answers = [_deployment(endpoint, at, since, found) for endpoint in endpoints]
    return [row for row in answers if row.history or row.state not in ("", "deleted")]


def with_stops(found: Iterable[Deployment], actor: Actor) -> list[Deployment]:
    """Have those that were stopped say by whom, as far as ``actor`` may see the recall that had
    Placet do it (five queries at most)."""
    rows = list(found)
    stops = stops_of({row.endpoint.pk: row.stopped for row in rows if row.stopped}, actor)
    return [replace(row, stop=stops.get(row.endpoint.pk)) for row in rows]


def _deployment(
    endpoint: Endpoint, at: datetime, since: datetime | None, found: _Found
) -> Deployment:
    switches, rows = found.switches.get(endpoint.pk, []), found.standing.get(endpoint.pk, [])
    revisions, history = [], []
    for row in rows:
        told = found.told.get(row.id)
        if told is None:
            continue
        served = periods(told.shares, switches)
        approved = found.approved.get(told.permit, NOTHING_APPROVED)
        if service := service_at(served, at):
            revisions.append(
                ServedRevision(row.id, told.number, told.bento, service, approved, told.receipts)
            )
        if since and (shown := [one for one in served if one.overlaps(since, at)]):
            history.append(RevisionHistory(row.id, told.number, shown, approved))
    return Deployment(
        endpoint,
        at,
        state=state_at(switches, at),
        revisions=sorted(revisions, key=lambda row: -row.service.share.weight),
        history=history,
        switch=switch_at(switches, at),
        faults=list(dict.fromkeys(_faults(switches, rows, found.told))),
    )


def _faults(
    switches: list[Switch], rows: list[Standing], told: Mapping[str, Told]
) -> Iterator[str]:
    """Yield why an answer may not be all: of the endpoint, then of each revision."""
    yield from (changed(one.moment.index, "the endpoint") for one in switches if not one.state)
    for row in rows:
        yield from told[row.id].faults if row.id in told else ()
        yield from [row.fault] if row.fault else []
