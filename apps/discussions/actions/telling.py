"""Logging what is said and done in threads."""

from apps.audit.actions import Recorder
from apps.audit.events import EventKind
from apps.audit.models import Audited
from apps.discussions.models import Thread


def tell(log: Recorder, kind: EventKind, thread: Thread, *rows: Audited, **more: str | int) -> None:
    """Log what was done in a thread, which must be held, as of the thing that it is about: whoever
    asks the log for that finds it. ``rows`` are what was changed beside the thread, ``more`` is
    what the log says besides."""
    data = {"number": thread.number, "thread": thread.pk, **more}
    log.add(kind, thread, *rows, subject=thread.subject, data=data)
