"""Where apps above take part in what serving does: they know environments and releases."""

from apps.serving.models import Endpoint, Target
from apps.serving.rules import PRESENT
from placet.kernel.actor import Actor
from placet.kernel.hooks import Hook


@Hook
def endpoint_created(endpoint: Endpoint) -> None:
    """Refuse a new endpoint by raising: called in the transaction that makes it, before it is
    saved, while its project is held.

    For apps that know which environments there are, and what may run where.
    """


@Hook
def endpoint_needed(endpoint: Endpoint) -> str:
    """Say why an endpoint cannot be deleted, '' when nothing keeps it: asked in the transaction
    that deletes it, which holds its row.

    For apps that may be on their way to it. This app says what runs there. What is stopped runs
    nowhere, though it could be started again.
    """
    if endpoint.state == "stopped":
        return ""
    row = endpoint.revisions.filter(state__in=PRESENT).order_by("-weight", "-number").first()
    return f"Revision {row.number} is {row.state}: stop the endpoint first" if row else ""


@Hook
def endpoint_deleted(endpoint: Endpoint, actor: Actor) -> None:
    """End what depends on an endpoint that goes: called in the transaction that deletes it, which
    holds its row, when its revisions have stopped and its row does not say yet that it is deleted.

    For apps whose rows mean nothing without it.
    """


@Hook
def endpoint_started(endpoint: Endpoint, actor: Actor) -> None:
    """Follow an endpoint that was stopped and serves again: called in the transaction that starts
    it, which holds its row.

    For apps that count how long something serves.
    """


@Hook
def stops_when_expired(target: Target) -> bool:
    """Tell whether the node of a target stops past the end of its state: asked whenever that is
    composed, by a worker. It does when anybody says so.

    For apps whose rows know what serves there; this app knows the target's own wish.
    """
    return target.on_expired == "stop"
