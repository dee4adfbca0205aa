"""Writes into HAProxy's table who serves what: from the state, and what answers, to servers."""

from collections.abc import Sequence
from typing import Protocol

from placet_agent.haproxy.entry import EndpointRoute
from placet_agent.haproxy.proxy import Proxy
from placet_agent.haproxy.sockets import socket_of
from placet_agent.haproxy.table import Full
from placet_agent.observed import RevisionMemory
from placet_agent.process.replica import Replica
from placet_agent.process.replicas import Replicas
from placet_agent.reports.guard_watch import Sentinel
from placet_agent.routing import RoutedRevision, route
from placet_agent.sleeping import Sleepers
from placet_agent.state.trust import PermitVerdict
from placet_protocol.state import DesiredEndpoint, DesiredRevision, DesiredState, Wanted


class Judgement(Protocol):
    """What a pass holds of revisions and replicas."""

    def wanted(self, revision: DesiredRevision) -> Wanted:
        """Return what is to become of a revision."""

    def verdict(self, revision: DesiredRevision) -> PermitVerdict:
        """Return whether it may run, and as what people approved."""

    def control(self, revision: DesiredRevision) -> RevisionMemory:
        """Return what is remembered of it."""

    def ready(self, revision: str) -> bool:
        """Whether requests may be led to it."""

    def may_sleep(self, revision: DesiredRevision) -> bool:
        """Whether people approved that it may have no replica."""

    def answered(self, replica: Replica) -> bool:
        """Whether a replica did when the pass began, and is not to stop."""


class Arranger:
    """Arranges the endpoints of a node."""

    def __init__(
        self,
        node: Judgement,
        proxy: Proxy,
        replicas: Replicas,
        sentinel: Sentinel,
        sleepers: Sleepers,
    ) -> None:
        self._node, self._proxy, self._replicas = node, proxy, replicas
        self._sentinel, self._sleepers = sentinel, sleepers

    def arrange(self, state: DesiredState) -> None:
        """Have the table say what the state wants, as far as replicas answer."""
        table = self._proxy.table
        for endpoint in state.endpoints:
            entry = table.ensure_endpoint(endpoint.id, endpoint.path)
            entry.locked, entry.keys = endpoint.api_key_required, endpoint.keys
            for revision in endpoint.revisions:
                self._ensure_servers(entry, revision)
            self._route(entry, endpoint)
            self._forget_revisions(entry, endpoint.revisions)
        known = {endpoint.id for endpoint in state.endpoints}
        for name in [name for name in table.endpoints if name not in known]:
            entry = table.endpoints[name]
            entry.silence()
            self._drain_stopping(entry)
            self._forget_revisions(entry, ())
            if not entry.backends:
                table.drop_endpoint(name)

    def _ensure_servers(self, entry: EndpointRoute, revision: DesiredRevision) -> None:
        control = self._node.control(revision)
        if self._node.may_sleep(revision):
            entry.sleepers.add(revision.id)
        self._ensure_door(entry, revision)
        control.full = self._proxy.complaint(entry)  # as it was, while HAProxy does not run
        for replica in self._replicas.of(revision.id):
            if not self._node.answered(replica):
                continue
            try:
                server = self._proxy.table.ensure_server(
                    entry, revision.id, replica.id, replica.address, keeps=replica.record.keeps
                )
            except Full as error:
                control.full = str(error)
                continue
            server.drained = self._node.wanted(revision) != "run"

    def _ensure_door(self, entry: EndpointRoute, revision: DesiredRevision) -> None:
        table, door = self._proxy.table, self._sleepers.doors.of(revision.id)
        if door is None:
            gone = self._node.wanted(revision) != "run"
            table.close_door(entry, revision.id, forget=gone)
            return
        try:
            keeps = not self._replicas.bentos.needs_port(revision.bento_digest)
            table.open_door(entry, revision.id, door.name, socket_of(door.name), keeps=keeps)
        except Full as error:
            self._node.control(revision).full = str(error)

    def _route(self, entry: EndpointRoute, endpoint: DesiredEndpoint) -> None:
        node, standings = self._node, dict[str, RoutedRevision]()
        for revision in endpoint.revisions:
            placed, verdict = entry.backend_index(revision.id), node.verdict(revision)
            standings[revision.id] = RoutedRevision(
                may_serve=node.wanted(revision) == "run",
                ready=node.ready(revision.id) and placed is not None,
                unit=verdict.unit,
                limits=verdict.limits,
            )
        route(entry, endpoint, standings, self._sentinel.aborts.of(endpoint.id))
        self._drain_stopping(entry)

    def _drain_stopping(self, entry: EndpointRoute) -> None:
        for index, servers in entry.servers.items():
            door = entry.door(index)
            for server in (s for s in servers.values() if s is not door):
                replica = self._replicas.all.get(server.replica)
                server.drained |= replica is None or replica.stopping

    def _forget_revisions(self, entry: EndpointRoute, revisions: Sequence[DesiredRevision]) -> None:
        keep = {r.id for r in revisions if self._node.wanted(r) == "run"}
        for revision in list(entry.backends.values()):
            index = entry.backend_index(revision)
            if revision not in keep and index is not None and not entry.servers.get(index):
                self._proxy.table.drop_revision(entry, revision)
