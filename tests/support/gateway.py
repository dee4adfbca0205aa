"""What HAProxy would be told of a state, and whether it takes it: for tests of any layer."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from placet_agent.haproxy import sockets
from placet_agent.haproxy.checking import refusal
from placet_agent.haproxy.config import Settings
from placet_agent.haproxy.process import find_binary
from placet_agent.haproxy.table import RoutingTable
from placet_agent.routing import RoutedRevision, route
from placet_protocol.state import DesiredState
from placet_verify.units import UnitSource

SETTINGS = Settings(port=18080, bind="127.0.0.1")


def table_of(
    state: DesiredState, units: Mapping[str, UnitSource | None] | None = None
) -> RoutingTable:
    """Return the table of a node on which every revision of ``state`` is ready.

    ``units`` are what the permits of the revisions say, by the revision's id.
    """
    table = RoutingTable(groups=1, servers_per_backend=1)
    for endpoint in state.endpoints:
        entry = table.ensure_endpoint(endpoint.id, endpoint.path)
        entry.locked, entry.keys = endpoint.api_key_required, endpoint.keys
        standings = {}
        for revision in endpoint.revisions:
            replica = f"{revision.id}-0"
            table.ensure_server(entry, revision.id, replica, sockets.socket_of(replica))
            unit = (units or {}).get(revision.id)
            standings[revision.id] = RoutedRevision(may_serve=True, ready=True, unit=unit)
        route(entry, endpoint, standings)
    return table


def refused(table: RoutingTable) -> str:
    """Return why HAProxy does not take a table; '' when it does."""
    with tempfile.TemporaryDirectory() as folder:
        return refusal(Path(folder), find_binary(), table, SETTINGS)
