"""Demanding a second factor of whoever holds a role, and no longer demanding it."""

from apps.audit.actions import record
from apps.identity.actions.checks import authorize_access, by_person
from apps.identity.events import SECOND_FACTOR_DEMANDED, SECOND_FACTOR_WAIVED
from apps.identity.models import SecondFactorDemand
from apps.identity.rules import ROLES
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NotFound


def demand_second_factor(role: str, *, actor: Actor) -> SecondFactorDemand:
    """Have ``role`` count only for people with a second factor; demanded already, it stays so.

    Nobody is locked out for good: who has none can still sign in and set one up.
    """
    by_person(actor)
    if role not in ROLES:
        raise InvalidInput(errors=[FieldError("/role", f"One of {', '.join(ROLES)}")])
    with record(actor) as log:
        authorize_access(actor)
        row, is_new = SecondFactorDemand.objects.get_or_create(
            role=role, defaults={"demanded_by": actor.id}
        )
        if is_new:
            log.add(SECOND_FACTOR_DEMANDED, row, data={"role": role})
        return row


def waive_second_factor(role: str, *, actor: Actor) -> None:
    """Have ``role`` count for people without a second factor again."""
    by_person(actor)
    with record(actor) as log:
        authorize_access(actor)
        row = SecondFactorDemand.objects.select_for_update().filter(role=role).first()
        if row is None:
            raise NotFound
        SecondFactorDemand.objects.filter(role=role).delete()
        log.add(SECOND_FACTOR_WAIVED, deleted=(row,), data={"role": role})
