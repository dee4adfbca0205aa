"""Freezes: stretches of time in which nothing new starts in an environment."""

from datetime import datetime

from apps.audit.actions import record
from apps.governance.actions.locking import demand_fresh_at, lock_environment
from apps.governance.actions.policies import current_policy
from apps.governance.errors import WrongState
from apps.governance.events import FREEZE_LIFTED, FREEZE_SET
from apps.governance.models import Environment, Freeze
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet.kernel.texts import clean_text


def set_freeze(
    environment: Environment,
    *,
    reason: str,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    actor: Actor,
) -> Freeze:
    """Freeze the environment from ``starts_at`` (now) until ``ends_at`` (until it is lifted).

    It stops what has not started; what serves goes on, and a rollback is never in its way.
    """
    text = clean_text("reason", reason, limit=500)
    begins = starts_at or clock.now()
    if ends_at is not None and ends_at <= max(begins, clock.now()):
        raise InvalidInput(errors=[FieldError("/ends_at", "It must lie after the beginning")])
    with record(actor) as log:
        row = lock_environment(environment, actor, "freeze.set")
        freeze = Freeze(
            environment=row,
            project_id=row.project_id,
            reason=text,
            starts_at=begins,
            ends_at=ends_at,
            created_by=actor.id,
        )
        freeze.save(force_insert=True)
        log.add(FREEZE_SET, freeze)
        return freeze


def lift_freeze(freeze: Freeze, *, actor: Actor) -> Freeze:
    """End a freeze, or call off one that has not begun."""
    with record(actor) as log:
        unlocked = Freeze.objects.filter(pk=freeze.pk).select_related("environment").first()
        if unlocked is None:
            raise NotFound
        environment = lock_environment(unlocked.environment, actor, "freeze.set")
        # what waits for the end of it then starts
        demand_fresh_at(current_policy(environment), actor)
        row = Freeze.objects.select_for_update(of=("self",), no_key=True).get(pk=unlocked.pk)
        if row.lifted_at is not None:
            raise WrongState("The freeze is lifted already", code="freeze_lifted")
        if row.ends_at is not None and row.ends_at <= clock.now():
            raise WrongState("The freeze is over already", code="freeze_over")
        row.lifted_at = clock.now()
        row.save(update_fields=["lifted_at"])
        log.add(FREEZE_LIFTED, row)
        return row
