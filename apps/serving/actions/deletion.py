"""Deleting an endpoint that nothing needs any more."""

from apps.audit.actions import record
from apps.identity.queries import authorize
from apps.serving import desired, hooks
from apps.serving.actions.locking import lock_endpoint
from apps.serving.actions.revisions import set_revision
from apps.serving.errors import EndpointNeeded, WrongEndpointState
from apps.serving.events import ENDPOINT_DELETED
from apps.serving.models import Endpoint
from apps.serving.rules import PRESENT, EndpointState, RevisionState
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import Stale


def delete_endpoint(endpoint: Endpoint, *, if_generation: int, actor: Actor) -> None:
    """End ``endpoint`` for good: its node forgets it, its keys end, and its name is free again.

    Needs ``endpoint.manage``. Releases, revisions and what the log tells of it stay. Refused with
    :class:`EndpointNeeded` while it is not stopped and something is behind it, or something is on
    its way there. ``if_generation`` is the endpoint that was read: another one is :class:`Stale`.
    """
    with record(actor) as log:
        row = lock_endpoint(endpoint.pk)
        authorize(actor, "endpoint.manage", row, view="endpoint.view")
        refuse_deleted(row)
        if row.generation != if_generation:
            raise Stale
        if why := [reason for reason in hooks.endpoint_needed(row) if reason]:
            raise EndpointNeeded(". ".join(why))
        for revision in row.revisions.filter(state__in=PRESENT).select_related("endpoint"):
            set_revision(revision, state=RevisionState.STOPPED, actor=actor)
        desired.publish(row.target_id)  # before models are held, as everybody does
        hooks.endpoint_deleted(row, actor)
        keys = list(row.keys.filter(revoked_at=None))
        for key in keys:
            key.revoked_at = now()
            key.save(update_fields=["revoked_at"])
        row.state = EndpointState.DELETED
        row.generation += 1
        row.save(update_fields=["state", "generation"])
        log.add(ENDPOINT_DELETED, row, *keys, subject=row.pk, data={"keys": len(keys)})


def refuse_deleted(endpoint: Endpoint) -> None:
    """Raise :class:`WrongEndpointState` for an endpoint that was deleted."""
    if endpoint.state == EndpointState.DELETED:
        raise WrongEndpointState("The endpoint was deleted")
