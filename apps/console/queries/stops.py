"""Who stopped an endpoint, when and why, as pages say it."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models.functions import Coalesce

from apps.identity.queries import name_in
from apps.serving.models import Endpoint
from apps.serving.rules import EndpointState
from placet.kernel.actor import SYSTEM


@dataclass(frozen=True, slots=True)
class Stop:
    """That an endpoint is stopped. ``by`` and ``name`` are '' and ``at`` is ``None`` of one that
    was stopped before that was written down; ``reason`` is '' where none was given."""

    by: str
    name: str
    at: datetime | None
    reason: str


def stopper(endpoint: str = "") -> Coalesce:
    """Return the name of who stopped an endpoint, as a column of a query that reads it, or has it
    as ``endpoint``."""
    return name_in(f"{endpoint}__stopped_by" if endpoint else "stopped_by")


def stop_of(endpoint: Endpoint, name: str) -> Stop | None:
    """Return who stopped ``endpoint``, whose ``name`` was read with it; ``None`` of one that is not
    stopped."""
    if endpoint.state != EndpointState.STOPPED:
        return None
    by = endpoint.stopped_by
    return Stop(by, SYSTEM.label if by == SYSTEM.id else name, endpoint.stopped_at, endpoint.reason)
