"""HAProxy as the loop uses it: change the table, then ``apply``; files first, then the socket."""

import hashlib
import logging
import time
from dataclasses import replace
from pathlib import Path

from placet_agent.faults import crash_point
from placet_agent.haproxy import config, places, quoting
from placet_agent.haproxy.admin import AdminError, ServerState
from placet_agent.haproxy.certificate import Certificate, CertificateRefused
from placet_agent.haproxy.checking import ConfigurationRefused, Judge
from placet_agent.haproxy.process import HaproxyError, HaproxyProcess
from placet_agent.haproxy.table import BackendServer, EndpointRoute, RoutingTable
from placet_agent.process import owners
from placet_agent.state import files

log = logging.getLogger(__name__)

LEFT_SECONDS = 1.0


class Proxy:
    """The node's HAProxy. Only the loop's thread may change it.

    ``table`` is what is wanted. HAProxy is told of it all but ``left_out``: the endpoints of which
    it would not start, each with the reason. Such an endpoint answers that nothing is live.
    """

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
        self.judge = Judge(folder, binary)
        stored = files.read_hint(folder / "table.json")  # it can be made anew
        self.table = RoutingTable() if stored is None else RoutingTable.from_json(stored)
        self.left_out: dict[str, str] = {}  # endpoint → why
        self._told = self.table  # without those
        self._text = ""  # the configuration on disk
        self._seen: tuple[object, ...] = ()  # what was wanted when it was written
        self._refused: tuple[tuple[object, ...], str] = ((), "")  # what was wanted, and why not
        self._due: tuple[object, ...] = ()  # what HAProxy is to follow
        self._applied: tuple[object, ...] = ()  # what it was last seen to follow
        self.unwritten = ""  # why the disk does not have what it follows
        self._size = (0, 0)
        self._left: dict[str, float] = {}  # servers that nobody has any more, since when
        try:
            self.renew()
        except CertificateRefused as refusal:
            self._go_on_with_certificate(refusal)

    def _go_on_with_certificate(self, refusal: CertificateRefused) -> None:
        """Show what was shown before: an agent that did not run would heed no recall."""
        path = self.folder / config.CERTIFICATE
        try:
            Certificate(path, path).read()
        except CertificateRefused:
            raise refusal from None
        log.error("goes on with the certificate before: %s", refusal)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.settings = replace(self.settings, certificate=digest)

    def renew(self) -> None:
        """Take up replaced certificate files at the next ``apply``.

        Raises ``CertificateRefused`` when they do not fit together; what is there stays in use.
        """
        if self.certificate is None:
            return
        pem = self.certificate.read()
        digest = hashlib.sha256(pem).hexdigest()
        if digest != self.settings.certificate:
            path = self.folder / config.CERTIFICATE
            if not path.exists() or path.read_bytes() != pem:  # a start needs no room on the disk
                files.write_bytes(path, pem)
            self.settings = replace(self.settings, certificate=digest)

    def ensure_running(self) -> bool:
        """Adopt or start HAProxy when none serves; tell whether it had to be started.

        Raises ``HaproxyError`` when one that stood still had to be ended.
        """
        if self.process.serves():
            return False
        places.make_folders(self.folder, self.settings.uid)
        if self.process.ref is None and self.process.adopt() and self.process.serves():
            log.info("adopted HAProxy, pid %s", self.process.ref)
            self._size = (0, 0) if self.process.silences else self._size_of_running()
            return False
        try:
            self.write()
        except ConfigurationRefused as error:
            if not (self.folder / "haproxy.cfg").exists():
                raise
            log.error("HAProxy starts with what it served before: %s", error)
        self._refuse_taken_port()
        self.process.start()
        self._size = self._told.size
        if self._seen:
            self._followed()
        log.info("started HAProxy, pid %s", self.process.ref)
        return True

    def _refuse_taken_port(self) -> None:
        """Raise ``HaproxyError`` when somebody else listens there: another node of this host, say,
        whose HAProxy would go on answering a part of what clients ask of this one."""
        port = self.settings.port
        if who := owners.other(self.settings.bind, port, self.process.ours()):
            raise HaproxyError(
                f"port {port} is taken by {who}: end that, or join again with another --listen"
            )

    def _size_of_running(self) -> tuple[int, int]:
        """Return how many slots the adopted HAProxy was started with."""
        places_ = [place.partition("/") for place in self.admin.servers()]
        groups = {backend.partition("r")[0] for backend, _, _ in places_}
        return len(groups), len({server for _, _, server in places_})

    def write(self) -> bool:
        """Write table, links, maps and configuration; tell whether anything changed.

        Raises ``ConfigurationRefused``, and leaves what is on disk, when HAProxy takes none of it.
        """
        wanted = (self.settings, self.table.snapshot())
        if wanted == self._seen:
            return False
        if wanted == self._refused[0]:
            raise ConfigurationRefused(self._refused[1])
        places.make_folders(self.folder, self.settings.uid)
        try:
            self.left_out = self.judge.left_out(self.table, self.settings)
        except ConfigurationRefused as error:
            self._refused = (wanted, str(error))
            raise
        self._told = self.table.without(self.left_out)
        self._write_files()
        self._seen = self._due = wanted
        return True

    def _write_if_it_can(self) -> str:
        """Write what changed; return why the disk does not take it.

        HAProxy is told all the same, where that needs no other rules: what is taken away from a
        revision must not wait for room. One that ended starts from files alone, and waits.
        """
        try:
            self.write()
        except OSError as error:
            told = self.table.without(self.left_out.keys() & self.table.endpoints.keys())
            self._text = self._text or (self.folder / "haproxy.cfg").read_text()
            if self._reloads(told):
                raise
            places.point(self.folder, told.sockets())
            self._told, self._due = told, (self.settings, self.table.snapshot())
            return str(error)
        return ""

    def _write_files(self) -> None:
        text = self.judge.text
        if not self._text:
            config.write_files(self.folder)
        places.point(self.folder, self._told.sockets())
        files.write_json(self.folder / "table.json", self.table.to_json())
        for name, entries in config.maps(self._told).items():
            content = config.map_text(entries).encode()
            files.write_bytes(self.folder / name, content, durable=False)
        files.write_bytes(self.folder / "haproxy.cfg", text.encode(), durable=False)
        self._text = text

    def apply(self) -> None:
        """Make HAProxy follow the table: new servers first, then routes, then what leaves.

        ``unwritten`` says why it does so without the files. After an ``AdminError``,
        ``HaproxyError`` or ``OSError`` the next one tells all of it again.
        """
        try:
            self._speak()
            self.unwritten = self._write_if_it_can()
            if self._applied != self._due:
                self._tell()
            if self._left:
                self._end_waiting()
        except Exception:
            self._applied = ()
            raise

    def _speak(self) -> None:
        """Raise ``AdminError`` while it is silent: each word would wait long for its answer."""
        if self.process.silences:
            raise AdminError("HAProxy does not answer on its socket")

    def weights(self) -> dict[str, int]:
        """Return what HAProxy gives each revision, out of 10,000."""
        told = self._told.endpoints.values()
        return {revision: w for entry in told for revision, w in entry.weights().items()}

    def complaints(self) -> list[tuple[str, list[str]]]:
        """Return a sentence for each endpoint that is left out, and the revisions it is about."""
        entries = [self.table.endpoints[endpoint] for endpoint in self.left_out]
        return [(self.complaint(entry), list(entry.backends.values())) for entry in entries]

    def complaint(self, entry: EndpointRoute) -> str:
        """Return why an endpoint was left out when the files were written; '' when it was not."""
        for endpoint, why in self.left_out.items():
            if self.table.endpoints.get(endpoint) is entry:
                sentence = f"{entry.path} is left out, for HAProxy would not start with it: {why}"
                return sentence[:1900]
        return ""

    @property
    def ending(self) -> bool:
        """Whether it must be applied again soon: requests may wait for a replica that is gone."""
        return bool(self._left)

    def _end_waiting(self) -> None:
        """End what waits in the socket of a replica that is gone, instead of its whole time.

        Not at once: who keeps the socket closes it, and then each client gets an answer. HAProxy
        3.0 gives none to those that it is told to end.
        """
        servers, now = self._told.backends(), time.monotonic()
        due = [place for place, since in self._left.items() if now - since >= LEFT_SECONDS]
        commands = []
        for place in due:
            backend, _, name = place.partition("/")
            if int(name[1:]) not in servers.get(backend, {}):  # nobody's since
                commands.append(quoting.command("shutdown", "sessions", "server", place))
        self.admin.tell(commands)
        for place in due:
            del self._left[place]

    def _tell(self) -> None:
        if self._reloads(self._told):
            log.info("reloading HAProxy for %s endpoints of %s replicas", *self._told.size)
            self.process.reload()
            self._size = self._told.size
            self._followed()
            return
        actual = self.admin.servers()
        wanted = self._wanted(actual)
        wanted_maps = config.maps(self._told)
        # HAProxy knows a map only where a rule reads it
        held = {name: self.admin.map(name) for name in wanted_maps if f"map({name})" in self._text}
        self._withdraw(held)
        crash_point("agent.before_haproxy_servers")
        self.admin.tell(c for place, server in wanted for c in coming(place, server, actual[place]))
        crash_point("agent.before_haproxy_maps")
        for name in held:
            if held[name] != wanted_maps[name]:
                self.admin.replace_map(name, wanted_maps[name])
        crash_point("agent.after_haproxy_maps")
        self.admin.tell(
            c for place, server in wanted for c in leaving(place, server, actual[place])
        )
        now = time.monotonic()
        for place, server in wanted:
            if server is None and not actual[place].maintenance:
                self._left[place] = now
        crash_point("agent.after_haproxy_servers")
        self._check()
        self._followed()

    def _reloads(self, told: RoutingTable) -> bool:
        """Tell whether HAProxy must be started anew to follow."""
        return self._size != told.size or self.process.fixed != config.fixed(self._text)

    def _withdraw(self, held: dict[str, dict[str, str]]) -> None:
        """Take away the paths that lead elsewhere now: a slot may be another endpoint's since."""
        paths, actual = config.maps(self._told)[config.PATHS], held[config.PATHS]
        held[config.PATHS] = {
            path: slot for path, slot in actual.items() if paths.get(path) == slot
        }
        if held[config.PATHS] != actual:
            self.admin.replace_map(config.PATHS, held[config.PATHS])

    def _followed(self) -> None:
        """Note that HAProxy does what the table says."""
        self._applied = self._due
        self.table.settle()
        places.drop_others(self.folder, self._told.sockets())

    def _wanted(self, actual: dict[str, ServerState]) -> list[tuple[str, BackendServer | None]]:
        found: list[tuple[str, BackendServer | None]] = []
        backends = self._told.backends()
        for place in actual:
            backend, _, name = place.partition("/")
            found.append((place, backends.get(backend, {}).get(int(name[1:]))))
        return found

    def _check(self) -> None:
        """Read back: what HAProxy says it does must be what it was told."""
        actual = self.admin.servers()
        for place, server in self._wanted(actual):
            if [*coming(place, server, actual[place]), *leaving(place, server, actual[place])]:
                raise AdminError(f"HAProxy did not take the change of {place}")

    def sessions(self, replica: str) -> int:
        """Return the requests under way on a replica; 0 when it has no server."""
        self._speak()
        place = self.table.place(replica)
        return 0 if place is None else self.admin.sessions(place)


def coming(place: str, server: BackendServer | None, actual: ServerState) -> list[str]:
    """Return the commands that bring a server into rotation."""
    if server is None or server.drained or actual.up:
        return []
    return [quoting.command("set", "server", place, "state", "ready")]


def leaving(place: str, server: BackendServer | None, actual: ServerState) -> list[str]:
    """Return the commands that take a server out: drained while it is used, then in maintenance."""
    if (
        server is None and actual.maintenance
    ):  # most of the slots, in every change: no word for them
        return []
    if server is None:
        return [quoting.command("set", "server", place, "state", "maint")]
    if server.drained and not actual.drained and not actual.maintenance:
        return [quoting.command("set", "server", place, "state", "drain")]
    return []
