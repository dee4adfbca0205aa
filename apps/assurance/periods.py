"""When a revision served, from its events and those of its endpoint alone. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from placet_verify.numbers import is_whole
from placet_verify.units import WHOLE


@dataclass(frozen=True, slots=True)
class Share:
    """What a revision gets of an endpoint's requests."""

    weight: int = 0  # out of 10,000
    header: str = ""  # requests that have this header, whatever the weight
    copies: int = 0  # out of 10,000: it answers copies, and nobody gets these answers

    def __bool__(self) -> bool:
        return bool(self.weight or self.header or self.copies)


NOTHING = Share()
UNKNOWN = "unknown"  # the state of an endpoint whose events were all changed


@dataclass(frozen=True, slots=True)
class Moment:
    """A place in the log, and its time."""

    index: int
    at: datetime


@dataclass(frozen=True, slots=True)
class ShareSet:
    """From this moment on a revision is to get this share; ``None``: the event cannot be read."""

    moment: Moment
    share: Share | None


@dataclass(frozen=True, slots=True)
class Switch:
    """From this moment on the endpoint is in ``state``, by whom; '': the event cannot be read."""

    moment: Moment
    state: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Period:
    """A revision had the same share all the time; ``end`` is none while it has it still.

    One that ``started`` began as somebody started the endpoint: replicas answer a little later.
    """

    begin: Moment
    end: Moment | None
    share: Share
    started: bool = False

    def covers(self, at: datetime) -> bool:
        """Tell whether it was so at an instant: what begins at it counts, what ends at it not."""
        return self.begin.at <= at and (self.end is None or at < self.end.at)

    def overlaps(self, since: datetime, until: datetime) -> bool:
        """Tell whether it was so at any time between two instants."""
        return self.begin.at <= until and (self.end is None or since < self.end.at)


@dataclass(frozen=True, slots=True)
class Service:
    """A revision served at an instant, from ``begin`` to ``end`` without a gap; all of
    ``period`` with the share that it had then."""

    period: Period
    begin: Moment
    end: Moment | None

    @property
    def share(self) -> Share:
        """What it got at the instant."""
        return self.period.share


def share_of(state: Any) -> Share | None:
    """Return the share that a logged row of a revision has; ``None`` for what is no such row."""
    match state:
        case {"weight": weight, "header": header, "copies": copies}:
            copies = 0 if copies is None else copies  # events from before there were copies
            led = _header(header)
            if is_whole(weight, 0, WHOLE) and is_whole(copies, 0, WHOLE) and led is not None:
                return Share(weight, led, copies)
    return None


def _header(value: Any) -> str | None:
    match value:
        case None:
            return ""
        case {"header": str(name), "value": str(wanted)}:
            return f"{name}: {wanted}"
    return None


def periods(shares: Iterable[ShareSet], switches: Iterable[Switch]) -> list[Period]:
    """Return when a revision served, by its own events and those of its endpoint.

    While the endpoint is not active nothing serves. An event that cannot be read changes nothing.
    """
    share, active = NOTHING, True
    changes: list[tuple[Moment, Share, bool]] = []
    events: list[ShareSet | Switch] = [*shares, *switches]
    for one in sorted(events, key=lambda event: event.moment.index):
        if isinstance(one, Switch):
            active = one.state == "active" if one.state else active
        elif one.share is not None:
            share = one.share
        served = share if active else NOTHING
        if served != (changes[-1][1] if changes else NOTHING):
            changes.append((one.moment, served, isinstance(one, Switch)))
    ends: list[Moment | None] = [begin for begin, _, _ in changes[1:]]
    rows = zip(changes, [*ends, None], strict=True) if changes else ()
    return [Period(begin, end, *served) for (begin, *served), end in rows if served[0]]


def service_at(rows: list[Period], at: datetime) -> Service | None:
    """Return how a revision served at an instant; ``None`` when it did not."""
    place = next((n for n, row in enumerate(rows) if row.covers(at)), None)
    if place is None:
        return None
    first = last = place
    joined = [before.end == after.begin for before, after in pairwise(rows)]
    while first and joined[first - 1]:
        first -= 1
    while last < len(joined) and joined[last]:
        last += 1
    return Service(rows[place], rows[first].begin, rows[last].end)


def state_at(switches: Iterable[Switch], at: datetime) -> str:
    """Return the state of an endpoint at an instant; '' before it was made, and ``unknown`` where
    no event until then can be read."""
    until = [row for row in switches if row.moment.at <= at]
    last = switch_at(until, at)
    return last.state if last else UNKNOWN if until else ""


def switch_at(switches: Iterable[Switch], at: datetime) -> Switch | None:
    """Return what brought an endpoint into its state at an instant, of what can be read."""
    known = [row for row in switches if row.moment.at <= at and row.state]
    return known[-1] if known else None
