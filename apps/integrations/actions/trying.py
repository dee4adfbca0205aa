"""Trying what the instance is set up with."""

from apps.audit.actions import record
from apps.identity.actions.checks import by_person
from apps.identity.models import User
from apps.identity.queries import authorize
from apps.identity.sign_in.freshness import demand_fresh
from apps.integrations.events import INSTANCE_TRIED
from apps.integrations.trials import TRIALS, TrialResult, tried
from placet.kernel.actor import Actor
from placet.kernel.problems import NotFound


def try_out(what: str, *, actor: Actor) -> TrialResult:
    """Try ``what``, one of the trials there are, and return what came of it.

    A mail goes to ``actor`` alone. Call it outside any transaction: others are asked.
    """
    by_person(actor)
    authorize(actor, "access.manage", None)
    demand_fresh(actor)
    if what not in TRIALS:
        raise NotFound
    address = User.objects.filter(pk=actor.id).values_list("email", flat=True).first() or ""
    result = tried(what, address)
    with record(actor) as log:
        outcome = "worked" if result.worked else "failed"
        log.add(INSTANCE_TRIED, data={"what": what, "outcome": outcome})
    return result
