"""Who had stopped an endpoint, as the log says it, and the recall that had Placet do so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apps.assurance.periods import Moment, Switch
from apps.assurance.queries.recalls_beside import recalls_that_stopped, recalls_told
from apps.identity.queries import people_names
from placet.kernel.actor import SYSTEM, Actor

CLOCKS = timedelta(seconds=10)  # by which ours may be ahead of the database's, which the log has


@dataclass(frozen=True, slots=True)
class EndpointStop:
    """Who had stopped an endpoint, and when. ``recall`` is what had Placet do it, as
    ``told_of_recall`` has it, and ``told`` what the reader is told of that, as ``recalls_told``."""

    moment: Moment
    by: str
    name: str
    recall: Mapping[str, Any] | None = None
    told: Mapping[str, Any] | None = None


def stops_of(switches: Mapping[str, Switch], actor: Actor) -> dict[str, EndpointStop]:
    """Return who stopped each endpoint, by its id, for ``actor``; ``switches`` are the events that
    say so (five queries at most, none for none)."""
    names = people_names(one.by for one in switches.values())
    by_placet = [endpoint for endpoint, one in switches.items() if one.by == SYSTEM.id]
    recalls = {
        endpoint: recall
        for endpoint, found in recalls_that_stopped(by_placet).items()
        if (recall := _stopping(found, switches[endpoint].moment.at))
    }
    told = recalls_told(recalls.values(), actor)
    stops = {}
    for endpoint, one in switches.items():
        recall = recalls.get(endpoint)
        name = names.get(one.by, "")
        seen = told.get(recall["id"]) if recall else None
        stops[endpoint] = EndpointStop(one.moment, one.by, name, recall, seen)
    return stops


def _stopping(found: list[dict[str, Any]], stopped_at: datetime) -> dict[str, Any] | None:
    """Return the newest of these recalls that was made when the endpoint stopped."""
    until = stopped_at + CLOCKS
    return next((one for one in found if datetime.fromisoformat(one["at"]) <= until), None)
