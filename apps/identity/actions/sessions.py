"""Recording sign-ins and what people do to their own credentials."""

from apps.audit.actions import record
from apps.audit.events import EventKind
from apps.identity.models import User
from placet.kernel.actor import ANONYMOUS, Actor


def note_sign_in_event(
    kind: EventKind, *, person: User | None, data: dict[str, str] | None = None
) -> None:
    """Log that ``person`` signed in or out or changed a credential, or that a sign-in failed.

    ``person`` is ``None`` for an address that nobody has; the address itself is never logged.
    """
    actor = ANONYMOUS
    if person is not None:
        actor = Actor(kind="person", id=person.pk, label=str(person), owner=person.pk)
    with record(actor) as log:
        log.add(kind, subject=person.pk if person else "", data=dict(data or {}))
