"""What the deletion of an endpoint means for rollouts, drills, and what they keep in the
registry."""

from apps.audit.actions import record
from apps.registry import actions as registry
from apps.registry.models import Hold
from apps.rollouts.actions.aliases import follow_live
from apps.rollouts.actions.scheduling import end_schedule
from apps.rollouts.models import DrillSchedule
from apps.rollouts.queries import rollout_under_way
from apps.serving.models import Endpoint
from placet.kernel.actor import SYSTEM, Actor


def needed_by_rollout(endpoint: Endpoint) -> str:
    """Say what moves ``endpoint``, '' when nothing does."""
    row = rollout_under_way(endpoint)
    return f"A {row.kind} is under way: end it first, or wait for its end" if row else ""


def let_go(endpoint: Endpoint, actor: Actor) -> None:
    """Have no drill of ``endpoint`` come round any more, aliases name what is live elsewhere, and
    give up the versions that are held for it. The caller holds the endpoint, and governance has
    ended its release."""
    with record(actor) as log:
        for row in DrillSchedule.objects.filter(endpoint=endpoint):
            end_schedule(row, endpoint, log)
    follow_live([endpoint.pk])
    holds = Hold.objects.filter(holder__in=endpoint.revisions.values("pk"))
    for hold in holds.select_related("version").order_by("version", "pk"):
        registry.release_hold(hold.version, reason=hold.reason, holder=hold.holder, actor=SYSTEM)
