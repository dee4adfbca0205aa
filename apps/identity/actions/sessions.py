"""Recording sign-ins and what people do to their own credentials."""

from django.contrib.sessions.models import Session

from apps.audit.actions import Recorder, record
from apps.audit.events import EventKind
from apps.identity.actions.checks import authorize_access, by_person
from apps.identity.actions.credentials import log_person, themselves, vouched
from apps.identity.actions.devices import deny_confirmed
from apps.identity.events import SESSIONS_ENDED
from apps.identity.models import User
from placet.kernel.actor import ANONYMOUS, Actor


def note_sign_in_event(
    kind: EventKind, *, person: User | None, data: dict[str, str] | None = None
) -> None:
    """Log that ``person`` signed in or out or changed a credential, or that a sign-in failed.

    ``person`` is ``None`` for an address that nobody has; the address itself is never logged.
    """
    with record(themselves(person) if person else ANONYMOUS) as log:
        log.add(kind, subject=person.pk if person else "", data=dict(data or {}))


def end_sessions(person: User, *, actor: Actor) -> User:
    """Sign ``person`` out in every browser, and deny what they confirmed there and no command line
    came for yet. Their tokens stay.

    They may do it themselves at any time; of somebody else it is an access admin's to do.
    """
    by_person(actor)
    with record(actor) as log:
        if actor.id != person.pk:
            authorize_access(actor)
        row = vouched(person)
        row.session_round += 1
        row.save(update_fields=["session_round"])
        log_person(log, SESSIONS_ENDED, row)
        deny_confirmed(log, row)
        return row


def close_all_sessions(log: Recorder) -> int:
    """Have everybody sign in again: an older copy of the database knows sessions that were closed
    since. What was confirmed in them is denied. Returns how many there were; the caller's event
    tells of it."""
    deny_confirmed(log)
    closed, _ = Session.objects.all().delete()
    return closed
