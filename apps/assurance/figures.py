"""How long it takes until a version serves, who is waited for, and how often it goes wrong.

As DORA measures software delivery (lead time for changes, change failure rate), with what lies
between: people, gates, the start and the rollout. No database and no clock.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import quantiles
from typing import NamedTuple, TypeVar

from apps.governance.rules import ReleaseState
from apps.rollouts.states import RolloutState

Row = TypeVar("Row")
Key = TypeVar("Key")
TAKEN_BACK = (ReleaseState.ROLLED_BACK, ReleaseState.REVOKED)


class Place(NamedTuple):
    """A model in an environment; both by name."""

    model: str
    environment: str


@dataclass(frozen=True, slots=True)
class Course:
    """The times of one release; ``None`` of what has not come yet."""

    place: Place
    requester: str  # accountable person id
    registered_at: datetime | None
    requested_at: datetime
    decided_at: datetime | None  # the last decision that counted when it was approved
    approved_at: datetime | None
    started_at: datetime | None  # its first rollout
    live_at: datetime | None
    first: bool = True  # nothing of its version was live in that environment before


@dataclass(frozen=True, slots=True)
class End:
    """How a rollout of a release ended, and how its release stands since."""

    place: Place
    requester: str
    state: str
    release_state: str


@dataclass(frozen=True, slots=True)
class Vote:
    """The first decision of a person on a release."""

    person: str
    role: str
    waited: float  # seconds since the request


@dataclass(frozen=True, slots=True)
class Taken:
    """What lasted so many times, and how long in seconds: half at most ``median``, nine in ten at
    most ``p90``; ``None`` of nothing."""

    count: int = 0
    median: float | None = None
    p90: float | None = None


@dataclass(frozen=True, slots=True)
class Ends:
    """How rollouts ended: ``failed``, ``aborted``, the others live; of these ``taken_back`` since,
    by a rollback or a recall."""

    ended: int = 0
    failed: int = 0
    aborted: int = 0
    taken_back: int = 0

    @property
    def live(self) -> int:
        """How many went live."""
        return self.ended - self.failed - self.aborted

    @property
    def failure_rate(self) -> float | None:
        """Which share of them went wrong, before it was live or after; ``None`` of none."""
        return (self.ended - self.live + self.taken_back) / self.ended if self.ended else None

    @property
    def taken_back_rate(self) -> float | None:
        """Which share of what went live was taken back; ``None`` of none."""
        return self.taken_back / self.live if self.live else None


@dataclass(frozen=True, slots=True)
class Stages:
    """How long each part of the way took."""

    lead: Taken  # registered → live in that environment for the first time
    people: Taken  # requested → the last decision that counted
    gates: Taken  # from there → approved
    start: Taken  # approved → its first rollout
    rollout: Taken  # from there → live
    whole: Taken  # requested → live


def taken(seconds: Iterable[float]) -> Taken:
    """Return how long something took, by linear interpolation between the nearest two (method
    ``inclusive`` of :func:`statistics.quantiles`)."""
    values = sorted(seconds)
    if len(values) < 2:
        return Taken(len(values), *(values * 2)) if values else Taken()
    tenths = quantiles(values, n=10, method="inclusive")
    return Taken(len(values), tenths[4], tenths[8])


def stages(courses: Sequence[Course]) -> Stages:
    """Return how long each part of the way took these releases."""
    firsts = [one for one in courses if one.first]
    return Stages(
        lead=_between(firsts, lambda one: (one.registered_at, one.live_at)),
        people=_between(courses, lambda one: (one.requested_at, one.decided_at)),
        gates=_between(courses, lambda one: (one.decided_at or one.requested_at, one.approved_at)),
        start=_between(courses, lambda one: (one.approved_at, one.started_at)),
        rollout=_between(courses, lambda one: (one.started_at, one.live_at)),
        whole=_between(courses, lambda one: (one.requested_at, one.live_at)),
    )


def ends(rows: Iterable[End]) -> Ends:
    """Count how rollouts ended."""
    found = list(rows)
    done = [row for row in found if row.state == RolloutState.DONE]
    return Ends(
        ended=len(found),
        failed=sum(row.state == RolloutState.FAILED for row in found),
        aborted=sum(row.state == RolloutState.ABORTED for row in found),
        taken_back=sum(row.release_state in TAKEN_BACK for row in done),
    )


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """Return rows by what ``key`` says of them."""
    found: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(found)


def _between(
    courses: Iterable[Course],
    ends_of: Callable[[Course], tuple[datetime | None, datetime | None]],
) -> Taken:
    """Return how long it took those that have both ends; a clock that was set back is no time."""
    pairs = [ends_of(one) for one in courses]
    return taken(max((b - a).total_seconds(), 0.0) for a, b in pairs if a and b)
