# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""What a search finds."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit(Record):
    """One thing that was found; ``url`` is its page."""

    kind: str
    id: str
    title: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Record):
    """What was found."""

    items: tuple[Hit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Record):
    """One thing that waits for you; ``url`` is the page on which you do it."""

    # An emergency release to co-sign or review, a release to decide on, one to change, one that
    # your request for changes holds, one to start, a rollout that goes no further, a policy draft
    # to publish, a discussion in which you were mentioned
    kind: str
    id: str
    title: str
    detail: str
    since: datetime | None
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskList(Record):
    """What waits for you."""

    items: tuple[Task, ...]
