"""HAProxy as the loop uses it: change the table, then ``apply``; files first, then the socket."""

import hashlib
import logging
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from placet_agent.faults import crash_point
from placet_agent.haproxy import config, quoting, sockets
from placet_agent.haproxy.admin import AdminError, BackendCounters, Nobody, ServerState
from placet_agent.haproxy.certificate import Certificate, CertificateRefused
from placet_agent.haproxy.checking import ConfigurationRefused, Judge
from placet_agent.haproxy.entry import BackendServer, EndpointRoute
from placet_agent.haproxy.names import linked_server
from placet_agent.haproxy.process import HaproxyProcess, PortTaken
from placet_agent.haproxy.table import REVISIONS, RoutingTable
from placet_agent.process import owners
from placet_agent.state import files

log = logging.getLogger(__name__)

VACATED_SECONDS = 1.0
# HAProxy writes so many rows of one table in the time that it takes to look for one backend.
ROWS_FOR_ONE = 30

Maps = dict[str, dict[str, str]]  # what each holds, by its name
Version = tuple[object, ...]  # the settings and all of the table, as they were wanted at one time


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
        self._effective = self.table  # without those: what HAProxy is told
        self._config_text = ""  # the configuration on disk
        self._written_version: Version = ()  # on disk
        self._target_version: Version = ()  # that HAProxy is to follow
        self._running_version: Version = ()  # that it was last seen to follow
        self._refusal: tuple[Version, str] = ((), "")  # one that it does not take, and why
        self.write_error = ""  # why the disk does not have the version that it follows
        self._running_size = (0, 0)  # of the table that it was started with
        self._vacated: dict[str, float] = {}  # servers that nobody has any more, since when
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
        sockets.make_folders(self.folder, self.settings.uid)
        if self.process.ref is None and self.process.adopt() and self.process.serves():
            log.info("adopted HAProxy, pid %s", self.process.ref)
            self._running_size = (0, 0) if self.process.silences else self._size_of_running()
            return False
        try:
            self.write()
        except ConfigurationRefused as error:
            if not (self.folder / "haproxy.cfg").exists():
                raise
            log.error("HAProxy starts with what it served before: %s", error)
        self._refuse_taken_port()
        self.process.start()
        self._running_size = self._effective.size
        if self._written_version:
            self._note_running()
        log.info("started HAProxy, pid %s", self.process.ref)
        return True

    def _refuse_taken_port(self) -> None:
        """Raise ``PortTaken`` when somebody else listens there: another node of this host, say,
        whose HAProxy would go on answering a part of what clients ask of this one."""
        port = self.settings.port
        if who := owners.other(self.settings.bind, port, self.process.ours()):
            raise PortTaken(
                f"port {port} is taken by {who}: end that, or join again with another --listen"
            )

    @property
    def is_silent(self) -> bool:
        """Whether it runs, and did not answer when it was asked last."""
        return self.process.silences > 0

    def _size_of_running(self) -> tuple[int, int]:
        """Return for how much the adopted HAProxy was started with."""
        names = [name.partition("/") for name in self.admin.servers()]
        groups = {backend.partition("r")[0] for backend, _, _ in names}
        return len(groups), len({server for _, _, server in names})

    def write(self) -> bool:
        """Write table, links, maps and configuration; tell whether anything changed.

        Raises ``ConfigurationRefused``, and leaves what is on disk, when HAProxy takes none of it.
        """
        version = (self.settings, self.table.snapshot())
        if version == self._written_version:
            return False
        if version == self._refusal[0]:
            raise ConfigurationRefused(self._refusal[1])
        sockets.make_folders(self.folder, self.settings.uid)
        try:
            self.left_out = self.judge.left_out(self.table, self.settings)
        except ConfigurationRefused as error:
            self._refusal = (version, str(error))
            raise
        self._effective = self.table.without(self.left_out)
        self._write_files()
        self._written_version = self._target_version = version
        return True

    def _write_if_it_can(self) -> str:
        """Write what changed; return why the disk does not take it.

        HAProxy is told all the same, where that needs no other rules: what is taken away from a
        revision must not wait for room. One that ended starts from files alone, and waits.
        """
        try:
            self.write()
        except OSError as error:
            effective = self.table.without(self.left_out.keys() & self.table.endpoints.keys())
            self._config_text = self._config_text or (self.folder / "haproxy.cfg").read_text()
            if self._reloads(effective):
                raise
            self._lead(effective.sockets())
            self._effective = effective
            self._target_version = (self.settings, self.table.snapshot())
            return str(error)
        return ""

    def _write_files(self) -> None:
        text = self.judge.text
        if not self._config_text:
            config.write_files(self.folder)
        self._lead(self._effective.sockets())
        files.write_json(self.folder / "table.json", self.table.to_json())
        for name, entries in config.maps(self._effective).items():
            content = config.map_text(entries).encode()
            files.write_bytes(self.folder / name, content, durable=False)
        files.write_bytes(self.folder / "haproxy.cfg", text.encode(), durable=False)
        self._config_text = text

    def _lead(self, wanted: Mapping[str, str]) -> None:
        """Lead the links to their sockets; who had one of the servers before is left for good."""
        with suppress(Nobody):  # one that takes no requests sends none over what it keeps
            self.admin.tell(
                command
                for link in sockets.moving(self.folder, wanted)
                for command in emptying(linked_server(link))
            )
        sockets.point(self.folder, wanted)

    def apply(self) -> None:
        """Make HAProxy follow the table: new servers first, then routes, then what leaves.

        ``write_error`` says why it does so without the files. After an ``AdminError``,
        ``HaproxyError`` or ``OSError`` the next one tells all of it again.
        """
        try:
            self._require_answer()
            self.write_error = self._write_if_it_can()
            if self._running_version != self._target_version:
                self._send()
            if self._vacated:
                self._end_waiting()
        except Exception:
            self._running_version = ()
            raise

    def _require_answer(self) -> None:
        """Raise ``AdminError`` while it is silent: each word would wait long for its answer."""
        if self.is_silent:
            raise AdminError("HAProxy does not answer on its socket")

    def weights(self) -> dict[str, int]:
        """Return what HAProxy gives each revision, out of 10,000."""
        entries = self._effective.endpoints.values()
        return {revision: w for entry in entries for revision, w in entry.weights().items()}

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
        return bool(self._vacated)

    def _end_waiting(self) -> None:
        """End what waits in the socket of a replica that is gone, instead of its whole time.

        Not at once: who keeps the socket closes it, and then each client gets an answer. HAProxy
        3.0 gives none to those that it is told to end.
        """
        servers, now = self._effective.backends(), time.monotonic()
        due = [name for name, since in self._vacated.items() if now - since >= VACATED_SECONDS]
        commands = []
        for name in due:
            backend, _, number = name.partition("/")
            if int(number[1:]) not in servers.get(backend, {}):  # nobody's since
                commands.append(quoting.command("shutdown", "sessions", "server", name))
        self.admin.tell(commands)
        for name in due:
            del self._vacated[name]

    def _send(self) -> None:
        if self._reloads(self._effective):
            log.info("reloading HAProxy for %s endpoints of %s replicas", *self._effective.size)
            self.process.reload()
            self._running_size = self._effective.size
            self._note_running()
            return
        actual = self.admin.servers()
        wanted = self._wanted_servers(actual)
        wanted_maps = config.maps(self._effective)
        # HAProxy knows a map only where a rule reads it
        held = {
            name: self.admin.map(name)
            for name in wanted_maps
            if f"map({name})" in self._config_text
        }
        self._withdraw(held)
        self._tell_map(config.ONCE, held, wanted_maps)
        crash_point("agent.before_haproxy_servers")
        self.admin.tell(c for name, server in wanted for c in coming(name, server, actual[name]))
        crash_point("agent.before_haproxy_maps")
        for name in held:
            self._tell_map(name, held, wanted_maps)
        crash_point("agent.after_haproxy_maps")
        self.admin.tell(c for name, server in wanted for c in leaving(name, server, actual[name]))
        now = time.monotonic()
        for name, server in wanted:
            if server is None and not actual[name].maintenance:
                self._vacated[name] = now
        crash_point("agent.after_haproxy_servers")
        self._check()
        self._note_running()

    def _reloads(self, effective: RoutingTable) -> bool:
        """Tell whether HAProxy must be started anew to follow."""
        return self._running_size != effective.size or self.process.fixed != config.fixed(
            self._config_text
        )

    def _withdraw(self, held: Maps) -> None:
        """Take away the paths that lead elsewhere now: a name may be another endpoint's since."""
        paths, actual = config.maps(self._effective)[config.PATHS], held[config.PATHS]
        held[config.PATHS] = {
            path: name for path, name in actual.items() if paths.get(path) == name
        }
        if held[config.PATHS] != actual:
            self.admin.replace_map(config.PATHS, held[config.PATHS])

    def _tell_map(self, name: str, held: Maps, wanted: Maps) -> None:
        if held[name] != wanted[name]:
            self.admin.replace_map(name, wanted[name])
            held[name] = wanted[name]

    def _note_running(self) -> None:
        """Note that HAProxy does what the table says."""
        self._running_version = self._target_version
        self.table.settle()
        sockets.drop_others(self.folder, self._effective.sockets())

    def _wanted_servers(
        self, actual: dict[str, ServerState]
    ) -> list[tuple[str, BackendServer | None]]:
        found: list[tuple[str, BackendServer | None]] = []
        backends = self._effective.backends()
        for name in actual:
            backend, _, number = name.partition("/")
            found.append((name, backends.get(backend, {}).get(int(number[1:]))))
        return found

    def _check(self) -> None:
        """Read back: what HAProxy says it does must be what it was told."""
        actual = self.admin.servers()
        for name, server in self._wanted_servers(actual):
            if [*coming(name, server, actual[name]), *leaving(name, server, actual[name])]:
                raise AdminError(f"HAProxy did not take the change of {name}")

    def loads(self, revisions: Collection[str]) -> dict[str, BackendCounters]:
        """Return the requests of these revisions, those that wait for a replica included."""
        named = {
            entry.backend(index): revision
            for entry in self._effective.endpoints.values()
            for index, revision in entry.backends.items()
            if revision in revisions
        }
        many = len(named) * ROWS_FOR_ONE > self._effective.groups * REVISIONS
        counters = self.admin.backends(None if many else named)
        return {named[name]: seen for name, seen in counters.items() if name in named}

    def sessions(self, replica: str) -> int:
        """Return the requests under way on a replica; 0 when it has no server."""
        self._require_answer()
        return sum(self.admin.sessions(name) for name in self.table.server_names(replica))


def emptying(name: str) -> list[str]:
    """Return the commands after which no connection is left of who had a server before.

    HAProxy closes those that rest when a server *gets* into maintenance, not when it is there; one
    that was in use then rests afterwards, and would lead to the former whoever is asked for.
    """
    states = [quoting.command("set", "server", name, "state", s) for s in ("drain", "maint")]
    return [*states, quoting.command("shutdown", "sessions", "server", name)]


def coming(name: str, server: BackendServer | None, actual: ServerState) -> list[str]:
    """Return the commands that bring a server into rotation."""
    if server is None or server.drained or actual.up:
        return []
    return [quoting.command("set", "server", name, "state", "ready")]


def leaving(name: str, server: BackendServer | None, actual: ServerState) -> list[str]:
    """Return the commands that take a server out: drained while it is used, then in maintenance."""
    if (
        server is None and actual.maintenance
    ):  # most of the servers, in every change: no word for them
        return []
    if server is None:
        return [quoting.command("set", "server", name, "state", "maint")]
    if server.drained and not actual.drained and not actual.maintenance:
        return [quoting.command("set", "server", name, "state", "drain")]
    return []
