# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Threads about releases, versions, policies and alerts, and what is said in them."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmentioned(Record):
    """Something with an @ that mentions nobody."""

    handle: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread(Record):
    """One matter that people discuss about one thing."""

    id: str
    kind: str  # What it is about: release, version, policy, alert
    subject: str  # The id of that
    title: str  # What that was called when the thread was opened
    number: int  # Counts the threads about one thing
    anchor: str  # The part that is meant; empty: the thing as a whole
    state: str
    comments: int  # How many there are, deleted ones too
    opened_by: str
    opened_by_name: str
    created_at: datetime
    said_at: datetime  # When the last comment was written
    resolved_by: str | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedThread(Thread):
    """A thread that was just opened: its first comment, and what in that mentions nobody."""

    comment: str
    unmentioned: tuple[Unmentioned, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentFile(Record):
    """A file that came with a comment."""

    id: str
    name: str
    size: int  # In bytes
    type: str  # What its bytes are, whatever it is called
    state: str  # A file is read once it is ready; a removed one never
    scan: str  # What the scanner says, in words
    found: str  # What it found; empty: nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadComment(Record):
    """What somebody said in a thread; ``deleted`` by its author, or ``erased`` with all of them."""

    id: str
    thread: str
    author: str
    name: str
    state: str
    text: str  # Markdown; empty where it was deleted or erased
    html: str  # The same, sanitised
    mentioned: tuple[str, ...]  # The names of who is mentioned
    files: tuple[CommentFile, ...]
    created_at: datetime
    edited_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenComment(ThreadComment):
    """A comment that was just written, and what in it mentions nobody."""

    unmentioned: tuple[Unmentioned, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Record):
    """What you have read."""

    mentions: int  # How many of yours no longer wait
