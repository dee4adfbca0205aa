"""One endpoint as HAProxy is told of it: its route, its revisions, and the servers of each.

A revision that may sleep keeps the first server of its backend for the socket at which requests
wait while none of its replicas answers: one of them there, and the others in HAProxy's queue.
"""

from dataclasses import dataclass, field

from placet_agent.haproxy import quoting
from placet_agent.haproxy.names import backend_name, endpoint_name, link_name
from placet_agent.haproxy.sockets import ServerAddress
from placet_protocol.state import HeaderRoute
from placet_verify.permit.limits import Limits
from placet_verify.units import WHOLE, UnitSource

DOOR = 0  # the number of the server where requests wait


@dataclass
class BackendServer:
    """A replica as a server of its revision's backend."""

    replica: str
    address: ServerAddress
    drained: bool = False
    keeps: bool = False  # a connection until its other end closes it; no older agent's does

    @property
    def port(self) -> int | None:
        """The port of a replica that an older agent started; the others have a socket."""
        return self.address if isinstance(self.address, int) else None


@dataclass
class EndpointRoute:
    """An endpoint's number, the backends of its revisions and its route."""

    number: int
    path: str
    locked: bool = False
    keys: tuple[str, ...] = ()
    backends: dict[int, str] = field(default_factory=dict)  # backend index → revision id
    # backend index → server number → server
    servers: dict[int, dict[int, BackendServer]] = field(default_factory=dict)
    left: list[int] = field(default_factory=list)  # backend indexes; last: left last
    stable: str = ""  # revision ids
    candidate: str = ""
    weight: int = 0  # of the candidate
    unit: UnitSource | None = None  # None: the split is per request
    salt: str = ""
    header: HeaderRoute | None = None
    tested: str = ""  # the revision that the header leads to
    copies: int = 0  # out of 10,000 requests
    mirrored: str = ""  # the revision that gets the copies
    group: int | None = None  # of backends; only while it has revisions
    limits: dict[str, Limits] = field(default_factory=dict)  # of revisions that have some
    sleepers: set[str] = field(default_factory=set)  # revisions that may sleep

    def backend(self, index: int) -> str:
        """Return the name of a revision's backend."""
        if self.group is None:
            raise ValueError(f"{self.path} has no backends")
        return backend_name(self.group, index)

    def snapshot(self) -> tuple[object, ...]:
        """Return all that is told of it, to be compared."""
        return (
            self.number,
            self.path,
            self.locked,
            self.keys,
            self.stable,
            self.candidate,
            self.weight,
            self.unit,
            self.salt,
            self.header,
            self.tested,
            self.copies,
            self.mirrored,
            self.group,
            tuple(self.limits.items()),
            tuple(sorted(self.sleepers)),
            tuple(self.backends.items()),
            tuple(
                (index, number, server.replica, server.address, server.drained, server.keeps)
                for index, servers in self.servers.items()
                for number, server in servers.items()
            ),
        )

    def muted(self) -> "EndpointRoute | None":
        """Return an entry of the same path that leads nowhere and has no rules.

        ``None`` when not even the path and its keys can be written.
        """
        try:
            for text in (self.path, *self.keys):
                quoting.map_line(text, endpoint_name(self.number))
        except ValueError:
            return None
        return EndpointRoute(self.number, self.path, self.locked, self.keys)

    def silence(self) -> None:
        """Send nobody anything."""
        self.stable = self.candidate = self.tested = self.mirrored = ""
        self.weight = self.copies = 0

    def backend_index(self, revision: str) -> int | None:
        """Return the index of a revision's backend; ``None`` when it has none."""
        return next((i for i, r in self.backends.items() if r == revision), None)

    def door(self, index: int) -> BackendServer | None:
        """Return where requests for a revision that may sleep wait, or last waited."""
        sleeps = self.backends.get(index) in self.sleepers
        return self.servers.get(index, {}).get(DOOR) if sleeps else None

    def has_open_door(self, index: int) -> bool:
        """Tell whether requests wait there now."""
        door = self.door(index)
        return door is not None and not door.drained

    def copies_to(self, index: int) -> list[str]:
        """Return where the replicas of a revision that take new requests are: links, or ports."""
        backend = self.backend(index)
        return [
            link_name(backend, number) if server.port is None else str(server.port)
            for number, server in self.servers.get(index, {}).items()
            if not server.drained
        ]

    def weights(self) -> dict[str, int]:
        """Return what each revision gets, out of 10,000."""
        shares = {self.stable: WHOLE - self.weight, self.candidate: self.weight}
        return {revision: share for revision, share in shares.items() if revision and share}

    def route(self) -> str:
        """Return the value of the route map.

        ``stable:candidate:weight:key:salt:tested:mirrored:copies``. It is one value, so that
        whatever changes for a request changes in one step. Without a unit the salt is ``-``.
        """
        stable, candidate, tested, mirrored = (
            "nobody" if (index := self.backend_index(revision)) is None else self.backend(index)
            for revision in (self.stable, self.candidate, self.tested, self.mirrored)
        )
        lock, salt = "key" if self.locked else "open", self.salt if self.unit else "-"
        parts = (stable, candidate, self.weight, lock, salt, tested, mirrored, self.copies)
        return quoting.fields(*parts)
