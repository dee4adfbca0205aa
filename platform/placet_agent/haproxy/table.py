"""Which names of HAProxy belong to which endpoint, revision and replica: kept on disk.

HAProxy has its names in advance, and each is made of numbers from zero on: an endpoint's number
(``e003``), the group of backends that an endpoint has while it has revisions, the index of a
revision's backend in that group (``e003r1``), and the number of a replica's server in that backend
(``e003r1/s2``, and its link ``e003r1-2``).
"""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from placet_agent.haproxy.entry import DOOR, BackendServer, EndpointRoute
from placet_agent.haproxy.names import link_name
from placet_agent.haproxy.sockets import ServerAddress
from placet_protocol.state import HeaderRoute
from placet_verify.permit.limits import Limits
from placet_verify.units import UnitSource

REVISIONS = 6  # backends in a group: live, candidate, warm, and those that drain
# Doubled, by a seamless reload, when they do not suffice:
FIRST_SERVERS = 8  # in each backend; a restart needs twice as many as there are replicas
FIRST_GROUPS = 16  # for as many endpoints that have revisions
# Seconds before the backends of one endpoint become those of another: what waits or is tried again
# there, or is asked over a connection that a replaced HAProxy still keeps, was meant for the one of
# before. Longer than such a HAProxy lives: ``hard-stop-after``.
REST_SECONDS = 240.0


class Full(Exception):
    """An endpoint has more revisions than a group has backends."""


@dataclass
class RoutingTable:
    """Everything HAProxy is told."""

    groups: int = FIRST_GROUPS  # how many there are
    servers_per_backend: int = FIRST_SERVERS
    endpoints: dict[str, EndpointRoute] = field(default_factory=dict)
    # backend and server number of what HAProxy still takes for replicas that are gone
    _vacated: set[tuple[str, int]] = field(default_factory=set, compare=False, repr=False)
    # groups that nobody has any more, since when; 0: HAProxy may still lead somebody there
    resting: dict[int, float] = field(default_factory=dict, compare=False)

    @property
    def size(self) -> tuple[int, int]:
        """What only a reload can change."""
        return self.groups, self.servers_per_backend

    def ensure_endpoint(self, endpoint: str, path: str) -> EndpointRoute:
        """Return the endpoint's entry, with the first free number if it is new."""
        entry = self.endpoints.get(endpoint)
        if entry is None:
            taken = {e.number for e in self.endpoints.values()}
            number = next(n for n in range(len(taken) + 1) if n not in taken)
            entry = self.endpoints[endpoint] = EndpointRoute(number, path)
        entry.path = path
        return entry

    def ensure_revision(self, entry: EndpointRoute, revision: str) -> int:
        """Return the index of its backend; raise ``Full`` when the endpoint has none left."""
        if (index := entry.backend_index(revision)) is not None:
            return index
        free = [n for n in range(REVISIONS) if n not in entry.backends]
        if not free:
            raise Full(f"{entry.path} already has {REVISIONS} revisions on this node")
        # In turn: a HAProxy that was replaced leads its last requests to who had a backend before.
        free.sort(key=lambda n: entry.left.index(n) if n in entry.left else -1)
        if entry.group is None:
            entry.group = self._free_group()
        entry.backends[free[0]] = revision
        entry.servers[free[0]] = {}
        return free[0]

    def _free_group(self) -> int:
        now = time.time()
        taken = {e.group for e in self.endpoints.values()}
        resting = self.resting.items()
        taken |= {g for g, since in resting if not since or abs(now - since) < REST_SECONDS}
        group = next(n for n in range(len(taken) + 1) if n not in taken)
        while group >= self.groups:
            self.groups *= 2
        self.resting.pop(group, None)
        return group

    def ensure_server(
        self,
        entry: EndpointRoute,
        revision: str,
        replica: str,
        address: ServerAddress,
        *,
        keeps: bool = False,
    ) -> BackendServer:
        """Return the replica's server; raise ``Full`` when its revision has no backend.

        ``address`` is ``sockets.socket_of(replica)``, or the port of an older agent's replica;
        ``keeps`` tells whether it leaves connections open for further requests.
        """
        index = self.ensure_revision(entry, revision)
        servers, backend = entry.servers[index], entry.backend(index)
        first = DOOR + 1 if revision in entry.sleepers else 0
        for number, server in servers.items():
            if server.replica == replica and number >= first:
                server.address, server.keeps = address, keeps
                return server
        free = [n for n in range(first, self.servers_per_backend) if n not in servers]
        # Rather a server that nobody left just now: a request that waits for who is gone is ended
        # with its server, and not left to wait beside those of the next one.
        free.sort(key=lambda n: (backend, n) in self._vacated)
        number = free[0] if free else max(servers, default=DOOR) + 1
        while number >= self.servers_per_backend:
            self.servers_per_backend *= 2
        servers[number] = BackendServer(replica, address, keeps=keeps)
        return servers[number]

    def open_door(
        self,
        entry: EndpointRoute,
        revision: str,
        replica: str,
        address: ServerAddress,
        *,
        keeps: bool,
    ) -> None:
        """Have requests for a revision wait at a socket, which ``replica`` takes or is to take.

        Raises ``Full`` when the revision has no backend.
        """
        index = self.ensure_revision(entry, revision)
        entry.servers[index][DOOR] = BackendServer(replica, address, keeps=keeps)

    def close_door(self, entry: EndpointRoute, revision: str, *, forget: bool) -> None:
        """Have no more requests wait there; ``forget``: nor be ended there."""
        index = entry.backend_index(revision)
        if index is None or (door := entry.door(index)) is None:
            return
        door.drained = True
        if forget:
            del entry.servers[index][DOOR]
            self._vacated.add((entry.backend(index), DOOR))

    def drop_server(self, replica: str) -> None:
        """Forget a replica's servers."""
        for entry in self.endpoints.values():
            for index, servers in entry.servers.items():
                for number in [n for n, s in servers.items() if s.replica == replica]:
                    del servers[number]
                    self._vacated.add((entry.backend(index), number))

    def settle(self) -> None:
        """HAProxy follows the table: what was left is free, or will be after its rest."""
        self._vacated.clear()
        self.resting = {group: since or time.time() for group, since in self.resting.items()}

    def drop_revision(self, entry: EndpointRoute, revision: str) -> None:
        """Forget a revision and its servers."""
        if (index := entry.backend_index(revision)) is not None:
            del entry.backends[index]
            entry.servers.pop(index, None)
            entry.sleepers.discard(revision)
            entry.left = [*(n for n in entry.left if n != index), index]
        if not entry.backends:
            self._rest(entry)

    def drop_endpoint(self, endpoint: str) -> None:
        """Forget an endpoint."""
        self._rest(self.endpoints.pop(endpoint))

    def _rest(self, entry: EndpointRoute) -> None:
        if entry.group is not None:
            self.resting[entry.group], entry.group, entry.left = 0.0, None, []

    def without(self, endpoints: Iterable[str]) -> "RoutingTable":
        """Return the same table with these endpoints muted, in the same order: of two that have one
        address for a moment it stays the later one that has it."""
        out = set(endpoints)
        told = {pk: e.muted() if pk in out else e for pk, e in self.endpoints.items()}
        return replace(self, endpoints={pk: e for pk, e in told.items() if e is not None})

    def snapshot(self) -> tuple[object, ...]:
        """Return all that HAProxy is told, to be compared: cheap, for it is taken in each pass."""
        entries = {name: entry.snapshot() for name, entry in self.endpoints.items()}
        return *self.size, entries

    def server_names(self, replica: str) -> list[str]:
        """Return ``backend/server`` of a replica, as commands call it: of one that took a socket
        at which requests waited there are two."""
        return [
            f"{entry.backend(index)}/s{number}"
            for entry in self.endpoints.values()
            for index, servers in entry.servers.items()
            for number, server in servers.items()
            if server.replica == replica
        ]

    def backends(self) -> dict[str, dict[int, BackendServer]]:
        """Return the servers of every backend that a revision has."""
        return {
            entry.backend(index): servers
            for entry in self.endpoints.values()
            for index, servers in entry.servers.items()
        }

    def limits(self) -> dict[str, Limits]:
        """Return the limits of every backend whose revision has some."""
        return {
            entry.backend(index): entry.limits[revision]
            for entry in self.endpoints.values()
            for index, revision in entry.backends.items()
            if revision in entry.limits
        }

    def sleepers(self) -> set[str]:
        """Return the backends whose revision may sleep."""
        return {
            entry.backend(index)
            for entry in self.endpoints.values()
            for index, revision in entry.backends.items()
            if revision in entry.sleepers
        }

    def sockets(self) -> dict[str, str]:
        """Return the path of the socket behind each link that needs one."""
        return {
            link_name(entry.backend(index), number): server.address
            for entry in self.endpoints.values()
            for index, servers in entry.servers.items()
            for number, server in servers.items()
            if isinstance(server.address, str)
        }

    def to_json(self) -> dict[str, Any]:
        """Return the table as plain data."""
        return {
            "pool": self.groups,
            "slots": self.servers_per_backend,
            "resting": {str(group): since for group, since in self.resting.items()},
            "endpoints": {
                name: {
                    "slot": e.number,
                    "path": e.path,
                    "locked": e.locked,
                    "keys": list(e.keys),
                    "stable": e.stable,
                    "candidate": e.candidate,
                    "weight": e.weight,
                    "unit": [e.unit.source, e.unit.name] if e.unit else None,
                    "salt": e.salt,
                    "header": [e.header.header, e.header.value] if e.header else None,
                    "tested": e.tested,
                    "copies": e.copies,
                    "mirrored": e.mirrored,
                    "group": e.group,
                    "left": e.left,
                    "limits": {r: asdict(limits) for r, limits in e.limits.items()},
                    "sleepers": sorted(e.sleepers),
                    "backends": {str(i): r for i, r in e.backends.items()},
                    "servers": {
                        str(i): {
                            str(n): [s.replica, s.address, s.drained, s.keeps]
                            for n, s in group.items()
                        }
                        for i, group in e.servers.items()
                    },
                }
                for name, e in self.endpoints.items()
            },
        }

    @classmethod
    def from_json(cls, data: Any) -> "RoutingTable":
        """Read what ``to_json`` wrote."""
        table = cls(groups=data["pool"], servers_per_backend=data["slots"])
        table.resting = {int(group): since for group, since in data.get("resting", {}).items()}
        for name, e in data["endpoints"].items():
            table.endpoints[name] = EndpointRoute(
                number=e["slot"],
                path=e["path"],
                locked=e["locked"],
                keys=tuple(e["keys"]),
                backends={int(i): r for i, r in e["backends"].items()},
                servers={
                    int(i): {int(n): BackendServer(*s) for n, s in group.items()}
                    for i, group in e["servers"].items()
                },
                stable=e["stable"],
                candidate=e["candidate"],
                weight=e["weight"],
                # what an older agent wrote has none of the following
                unit=UnitSource(*e["unit"]) if e.get("unit") else None,
                salt=e.get("salt", ""),
                header=HeaderRoute(*e["header"]) if e.get("header") else None,
                tested=e.get("tested", ""),
                copies=e.get("copies", 0),
                mirrored=e.get("mirrored", ""),
                group=e["group"] if "group" in e else _former_group(e),
                left=e.get("left", []),
                limits={r: Limits(**limits) for r, limits in e.get("limits", {}).items()},
                sleepers=set(e.get("sleepers", [])),
            )
        if "resting" not in data:  # it had groups for endpoints without revisions too
            groups = [e.group for e in table.endpoints.values() if e.group is not None]
            table.groups = FIRST_GROUPS
            while table.groups <= max(groups, default=0):
                table.groups *= 2
        return table


def _former_group(entry: Any) -> int | None:
    """Return the group of an endpoint that an older agent wrote down: its number was its group."""
    return int(entry["slot"]) if entry["backends"] else None
