"""Erasing a person's texts from the log, whose hashes stay."""

from apps.audit.actions.record import record
from apps.audit.errors import OwnErasure
from apps.audit.events import PERSON_ERASED
from apps.audit.models import PersonKey
from placet.kernel.actor import Actor
from placet.kernel.problems import NeedsPermission, NotFound


def erase_texts(person_id: str, *, actor: Actor) -> None:
    """Destroy the key of a person's texts; every hash, signature and proof stays valid.

    Needs ``access.manage`` for the instance, and is never done to oneself. The names, addresses
    and comments that the log and the statements commit to can be read by nobody afterwards, and
    text that is logged about the person later is kept nowhere. What the tables themselves hold of
    the person ``identity.actions.erase_person`` clears, which calls this.
    """
    with record(actor) as log:
        if not actor.can("access.manage"):
            raise NeedsPermission(actor, "access.manage")
        if person_id == actor.accountable:
            raise OwnErasure
        key = PersonKey.objects.select_for_update(no_key=True).filter(pk=person_id).first()
        if key is None:
            raise NotFound
        if not key.key:
            return
        key.key = b""
        key.save(update_fields=["key"])
        log.add(PERSON_ERASED, subject=person_id)
