"""HAProxy as the loop uses it: change the table, then ``apply``; files first, then the socket."""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

from placet_agent import files
from placet_agent.faults import crash_point
from placet_agent.haproxy import config, places
from placet_agent.haproxy.admin import AdminError, ServerState
from placet_agent.haproxy.certificate import Certificate
from placet_agent.haproxy.process import HaproxyProcess
from placet_agent.haproxy.table import Server, Table

log = logging.getLogger(__name__)


class Proxy:
    """The node's HAProxy. Only the loop's thread may change it."""

    def __init__(
        self,
        folder: Path,
        settings: config.Settings,
        binary: str,
        certificate: Certificate | None = None,
    ) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self.settings = settings
        self.certificate = certificate
        self.process = HaproxyProcess(folder, binary)
        self.admin = self.process.admin
        stored = files.read_json(folder / "table.json")
        self.table = Table() if stored is None else Table.from_json(stored)
        self._written = ""
        self._applied = ""  # the configuration that HAProxy was last seen to follow
        self._size = (0, 0)
        self.renew()

    def renew(self) -> None:
        """Take up replaced certificate files at the next ``apply``.

        Raises ``CertificateRefused`` when they do not fit together; what is there stays in use.
        """
        if self.certificate is None:
            return
        pem = self.certificate.read()
        digest = hashlib.sha256(pem).hexdigest()
        if digest != self.settings.certificate:
            files.write_bytes(self.folder / config.CERTIFICATE, pem)
            self.settings = replace(self.settings, certificate=digest)

    def ensure_running(self) -> bool:
        """Adopt or start HAProxy when it does not run; tell whether it had to be started."""
        if self.process.alive:
            return False
        places.make_folders(self.folder, self.settings.uid)
        if self.process.ref is None and self.process.adopt():
            log.info("adopted HAProxy, pid %s", self.process.ref)
            self._size = self._size_of_running()
            return False
        self.write()
        self.process.start()
        self._size = self.table.size
        self._followed()
        log.info("started HAProxy, pid %s", self.process.ref)
        return True

    def _size_of_running(self) -> tuple[int, int]:
        """Return how many slots the adopted HAProxy was started with."""
        places = [place.partition("/") for place in self.admin.servers()]
        endpoints = {backend.partition("r")[0] for backend, _, _ in places}
        return len(endpoints), len({server for _, _, server in places})

    def write(self) -> bool:
        """Write table, maps and configuration; tell whether anything changed."""
        text = config.render(self.table, self.settings)
        maps = {name: config.map_text(m) for name, m in config.maps(self.table).items()}
        sockets = self.table.sockets()
        whole = text + "".join(maps.values()) + repr(sockets)
        if whole == self._written:
            return False
        if not self._written:
            places.make_folders(self.folder, self.settings.uid)
            config.write_files(self.folder)
        places.point(self.folder, sockets)
        files.write_json(self.folder / "table.json", self.table.to_json())
        for name, content in maps.items():
            files.write_bytes(self.folder / name, content.encode(), durable=False)
        files.write_bytes(self.folder / "haproxy.cfg", text.encode(), durable=False)
        self._written = whole
        return True

    def apply(self) -> None:
        """Make HAProxy follow the table: new servers first, then routes, then what leaves."""
        self.write()
        if self._applied != self._written:
            self._tell()

    def _tell(self) -> None:
        fixed = config.fixed(self._written)
        if self._size != self.table.size or self.process.fixed != fixed:
            log.info("reloading HAProxy for %s endpoints of %s replicas", *self.table.size)
            self.process.reload()
            self._size = self.table.size
            self._followed()
            return
        actual = self.admin.servers()
        wanted = self._wanted(actual)
        crash_point("agent.before_haproxy_servers")
        self.admin.tell(c for place, server in wanted for c in coming(place, server, actual[place]))
        crash_point("agent.before_haproxy_maps")
        for name in config.MAPS:
            if f"map({name})" not in self._written:
                continue  # HAProxy knows a map only where a rule reads it
            entries = config.maps(self.table)[name]
            if self.admin.map(name) != entries:
                self.admin.replace_map(name, entries)
        crash_point("agent.after_haproxy_maps")
        self.admin.tell(
            c for place, server in wanted for c in leaving(place, server, actual[place])
        )
        # who was there is gone: a request that waits in its socket would wait until the time is up
        self.admin.tell(
            f"shutdown sessions server {place}"
            for place, server in wanted
            if server is None and not actual[place].maintenance
        )
        crash_point("agent.after_haproxy_servers")
        self._check()
        self._followed()

    def _followed(self) -> None:
        """Note that HAProxy does what the table says."""
        self._applied = self._written
        self.table.settle()
        places.drop_others(self.folder, self.table.sockets())

    def _wanted(self, actual: dict[str, ServerState]) -> list[tuple[str, Server | None]]:
        found: list[tuple[str, Server | None]] = []
        for place in actual:
            backend, _, name = place.partition("/")
            found.append((place, self.table.servers(backend).get(int(name[1:]))))
        return found

    def _check(self) -> None:
        """Read back: what HAProxy says it does must be what it was told."""
        actual = self.admin.servers()
        for place, server in self._wanted(actual):
            if [*coming(place, server, actual[place]), *leaving(place, server, actual[place])]:
                raise AdminError(f"HAProxy did not take the change of {place}")

    def forget(self) -> None:
        """Send everything again at the next ``apply``."""
        self._applied = ""

    def sessions(self, replica: str) -> int:
        """Return the requests under way on a replica; 0 when it has no server."""
        place = self.table.place(replica)
        return 0 if place is None else self.admin.sessions(place)


def coming(place: str, server: Server | None, actual: ServerState) -> list[str]:
    """Return the commands that bring a server into rotation."""
    if server is None or server.drained:
        return []
    return [] if actual.up else [f"set server {place} state ready"]


def leaving(place: str, server: Server | None, actual: ServerState) -> list[str]:
    """Return the commands that take a server out: drained while it is used, then in maintenance."""
    if server is None:
        return [] if actual.maintenance else [f"set server {place} state maint"]
    if server.drained and not actual.drained and not actual.maintenance:
        return [f"set server {place} state drain"]
    return []
