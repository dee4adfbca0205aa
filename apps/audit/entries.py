"""Events before they are appended: what the unit of work that is open in this thread holds."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from apps.audit.events import EventKind
from apps.audit.models import SealedText
from placet.kernel.actor import Actor


@dataclass(slots=True)
class NewEvent:
    """One event before it has an index and a time."""

    kind: EventKind
    actor: Actor
    subject: str
    project: str | None
    environment: str | None
    after: dict[str, Any]
    data: dict[str, Any]
    texts: list[SealedText] = field(default_factory=list)


entries_of_thread: ContextVar[list[NewEvent] | None] = ContextVar("audit_entries", default=None)


def pending() -> list[NewEvent]:
    """Return what the unit of work that is open in this thread will append, in order."""
    return list(entries_of_thread.get() or ())
