"""Recording sign-ins and what people do to their own credentials."""

from django.contrib.sessions.models import Session

from apps.audit.actions import Recorder, record
from apps.audit.events import EventKind
from apps.identity.actions.credentials import themselves
from apps.identity.actions.devices import deny_confirmed
from apps.identity.models import User
from placet.kernel.actor import ANONYMOUS


def note_sign_in_event(
    kind: EventKind, *, person: User | None, data: dict[str, str] | None = None
) -> None:
    """Log that ``person`` signed in or out or changed a credential, or that a sign-in failed.

    ``person`` is ``None`` for an address that nobody has; the address itself is never logged.
    """
    with record(themselves(person) if person else ANONYMOUS) as log:
        log.add(kind, subject=person.pk if person else "", data=dict(data or {}))


def close_all_sessions(log: Recorder) -> int:
    """Have everybody sign in again: an older copy of the database knows sessions that were closed
    since. What was confirmed in them is denied. Returns how many there were; the caller's event
    tells of it."""
    deny_confirmed(log)
    closed, _ = Session.objects.all().delete()
    return closed
