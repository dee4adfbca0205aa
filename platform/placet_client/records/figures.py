# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""How long releases of a project take, who is waited for, and how often they go wrong."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken(Record):
    """What lasted so many times, and how long in seconds; ``None`` of nothing."""

    count: int
    median: float | None
    p90: float | None  # Nine in ten took at most this


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages(Record):
    """How long each part of the way took the releases that went live."""

    lead: Taken  # From registered to live, of versions that were new there
    people: Taken  # From requested to the last decision that counted
    gates: Taken  # From there to approved
    start: Taken  # From approved to the first rollout
    rollout: Taken  # From there to live
    whole: Taken  # From requested to live


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends(Record):
    """How rollouts of releases ended."""

    ended: int
    live: int
    failed: int
    aborted: int
    taken_back: int  # Of those live: by a rollback or a recall
    failure_rate: float | None  # Share of the ended that went wrong, before it was live or after
    taken_back_rate: float | None  # Share of what went live that was taken back


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFigures(Record):
    """A model in an environment."""

    model: str
    environment: str
    stages: Stages
    ends: Ends


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFigures(Record):
    """How long releases waited for somebody's first decision in a role, since the request."""

    person: str
    name: str
    role: str
    waited: Taken


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFigures(Record):
    """A gate at which releases wait now."""

    title: str
    waiting: int
    since: datetime  # When the oldest of them was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamFigures(Record):
    """What the people of a team asked for."""

    team: str
    stages: Stages
    ends: Ends


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFigures(Record):
    """The figures of a project's releases since a time."""

    since: datetime
    days: int
    stages: Stages
    ends: Ends
    places: tuple[PlaceFigures, ...]
    people: tuple[PersonFigures, ...]
    gates: tuple[GateFigures, ...]
    teams: tuple[TeamFigures, ...]  # Those that you see
    more_wait: bool  # More releases wait than those whose gates were read
    is_cut: bool  # Only the newest of them counted
