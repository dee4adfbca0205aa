# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""What one is told by mail, and what one watches."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeChoice(Record):
    """How one is told of one kind of things."""

    kind: str
    title: str  # What the kind is called
    way: str
    is_chosen: bool  # false: it is what is usual


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectChoice(Record):
    """How one is told of one kind of things in one project, in place of what holds elsewhere."""

    project: str  # Its slug
    kind: str
    way: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticePreferences(Record):
    """How one is told by mail."""

    # false: Placet has no mail server, and mails nobody until an operator sets one
    is_mail_set_up: bool
    kinds: tuple[NoticeChoice, ...]
    projects: tuple[ProjectChoice, ...]  # What is chosen for single projects


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Record):
    """A project or a release that one watches, or a release of which one wants no news."""

    project: str
    release: str | None  # None: the whole project
    is_on: bool  # false: no news of this release
    created_at: datetime
