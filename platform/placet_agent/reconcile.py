"""One pass: look at what is wanted and what runs, take the next steps, say what is seen.

Level-triggered: a pass needs no memory of the pass before, and may be repeated or cut short at
any point. Only the loop's thread comes here, but for ``take`` and ``newest``.
"""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from placet_agent import rules
from placet_agent.downloads.preparer import Need, Preparer
from placet_agent.front import Front
from placet_agent.haproxy.admin import AdminError
from placet_agent.haproxy.proxy import Proxy
from placet_agent.haproxy.table import EndpointRoute, Full
from placet_agent.observed import (
    Errors,
    Observed,
    RevisionMemory,
    leaving_reports,
    refused_reports,
    revision_report,
)
from placet_agent.process.replica import Replica, settings_of, wanted_settings
from placet_agent.process.replicas import Replicas
from placet_agent.reports.guard_watch import Sentinel
from placet_agent.reports.receipts import Receipts
from placet_agent.routing import RoutedRevision, route
from placet_agent.scaling import Scaler
from placet_agent.secret_supply import SecretSupply, places_of
from placet_agent.state.trust import PermitVerdict
from placet_protocol.report import RevisionReport
from placet_protocol.state import DesiredEndpoint, DesiredRevision, DesiredState, Wanted
from placet_verify.recalls import Book

log = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0
RECALL_DRAIN_SECONDS = 1.0


class Reconciler:
    """Makes the node serve its state."""

    def __init__(
        self,
        proxy: Proxy,
        replicas: Replicas,
        preparer: Preparer,
        sentinel: Sentinel,
        receipts: Receipts,
        supply: SecretSupply,
    ) -> None:
        self.proxy, self.replicas, self.preparer = proxy, replicas, preparer
        self.sentinel, self.receipts, self.supply = sentinel, receipts, supply
        self.state: DesiredState | None = None
        self.verdicts: dict[str, PermitVerdict] = {}
        self._taken: tuple[DesiredState, dict[str, PermitVerdict], Book] | None = None
        self._book = Book()
        self.observed = Observed()
        self.busy = False  # whether to look again soon
        self._controls: dict[str, RevisionMemory] = {}
        self._answered: frozenset[str] = frozenset()  # replicas that did when the pass began
        self._errors = Errors()
        self._front = Front(proxy, self._errors)
        self._scaler = Scaler(proxy.in_flight)

    def take(self, state: DesiredState, verdicts: dict[str, PermitVerdict]) -> None:
        """Follow another state from the next pass on; the pass under way keeps its own.

        State and verdicts are handed over as one: a pass that saw the new state with the verdicts
        of the old one would report a refusal, or say that it applied what it had not seen.
        """
        self.sentinel.follow(state)
        self._taken = (state, verdicts, self.receipts.book())

    @property
    def newest(self) -> DesiredState | None:
        """The last state that was taken, whether or not a pass has seen it."""
        return self._taken[0] if self._taken is not None else None

    def run(self) -> None:
        """Do one pass."""
        self._errors.begin()
        self.busy = False
        if self._taken is not None:
            self.state, self.verdicts, self._book = self._taken
        self._front.keep_running()
        # Looked at once: who is found to answer in the middle of a pass would be reported as ready
        # by a pass that led nothing there.
        self._answered = frozenset(r.id for r in self.replicas.all.values() if r.record.ready)
        for replica in list(self.replicas.all.values()):
            self._errors.alone(self._bury, replica)
        self._errors.alone(self._stop_strangers, self.state)
        if self.state is not None:
            self._errors.alone(self._prepare, self.state)
            self._errors.alone(self._follow_load, self.state)
            self._errors.alone(self._scale_each, self.state)
            self._errors.alone(self.sentinel.look, self.state, self._able)
            self._errors.alone(self._arrange, self.state)
        self._lead()
        self._finish_stopping(self._front.up)
        self._observe()

    # --- HAProxy -----------------------------------------------------------------------------

    def _lead(self) -> None:
        """Have HAProxy follow the table, and remember whom it leaves out."""
        self._front.follow(self._ready)
        if not self._front.followed:
            self.busy |= self._front.up
            return
        self.busy |= self.proxy.ending
        for detail, revisions in self.proxy.complaints():
            self._errors.tell("endpoint_left_out", detail)
            for revision in revisions:
                self._controls.setdefault(revision, RevisionMemory()).full = detail

    # --- replicas ----------------------------------------------------------------------------

    def _wanted(self, revision: DesiredRevision) -> Wanted:
        if not self._verdict(revision).allowed or self._expired():
            return "stop"
        return revision.wanted

    def _verdict(self, revision: DesiredRevision) -> PermitVerdict:
        return self.verdicts.get(revision.id, PermitVerdict(False, "its permit was not checked"))

    def _settings(self, revision: DesiredRevision) -> tuple[object, ...]:
        return wanted_settings(revision, self._verdict(revision).secrets.values())

    def _expired(self) -> bool:
        if (state := self.state) is None or state.on_expired != "stop":
            return False
        return datetime.now(UTC) > state.valid_until

    def _control(self, revision: DesiredRevision) -> RevisionMemory:
        control = self._controls.setdefault(revision.id, RevisionMemory())
        settings = (*self._settings(revision), revision.wanted == "run")
        if control.settings != settings:
            if control.settings:
                control.crashes.forget()
            control.settings = settings
        return control

    def _bury(self, replica: Replica) -> None:
        if replica.stopping or replica.alive:
            return
        now = time.monotonic()
        if self.replicas.found_to_need_port(replica):
            log.info("replica %s is started anew behind a link", replica.id)
            replica.stopping_since = now
            return
        control = self._controls.setdefault(replica.record.revision, RevisionMemory())
        lived = now - replica.ready_at if replica.ready_at else 0.0
        control.crashes.was_ready |= replica.record.ready
        control.crashes.add(now, lived, self.replicas.why(replica), replica.wave)
        log.warning("replica %s ended by itself", replica.id)
        self.proxy.table.drop_server(replica.id)
        replica.stopping_since = now

    def _prepare(self, state: DesiredState) -> None:
        """Fetch what is to run; what is only to lie ready comes after that."""
        needs, waiting = set(), False
        for endpoint in state.endpoints:
            for revision in endpoint.revisions:
                control = self._control(revision)
                if self._wanted(revision) != "run":
                    continue
                need = Need.of(revision)
                needs.add(need)
                progress, named = self.preparer.ask(need), self._verdict(revision).secrets
                control.progress = self.supply.beside(progress, endpoint, revision, named)
                waiting |= progress.running
        self.supply.forget_others()
        if not waiting:
            for item in state.prefetch:
                if item.bento_digest not in state.recalled:
                    need = Need(item.bento_digest, None, item.runtime_digest)
                    needs.add(need)
                    self.preparer.ask(need)
            self.preparer.forget_others(needs)

    def _follow_load(self, state: DesiredState) -> None:
        revisions = [r for e in state.endpoints for r in e.revisions if self._wanted(r) == "run"]
        self._scaler.follow(
            state.endpoints,
            {r.id: how for r in revisions if (how := self._verdict(r).scaling)},
            lambda revision: sum(not r.stopping for r in self.replicas.of(revision)),
        )

    def _scale_each(self, state: DesiredState) -> None:
        """Start and stop; a fault at one revision, a full disk say, keeps no other from it."""
        for endpoint, revision in ((e, r) for e in state.endpoints for r in e.revisions):
            try:
                self._scale(endpoint, revision)
            except Exception as error:
                log.exception("revision %s cannot be scaled", revision.id)
                crashes = self._control(revision).crashes
                crashes.add(time.monotonic(), 0.0, repr(error), crashes.begin())

    def _scale(self, endpoint: DesiredEndpoint, revision: DesiredRevision) -> None:
        control, wanted = self._control(revision), self._wanted(revision)
        mine = self.replicas.of(revision.id)
        if wanted == "drain":
            return
        count = self._scaler.count(revision) if wanted == "run" else 0
        settings = self._settings(revision)
        views = [
            rules.ReplicaView(
                r.id, r.id in self._answered, settings_of(r.record) == settings, r.stopping
            )
            for r in mine
        ]
        plan = rules.plan_replicas(count, views)
        for name in plan.stop:
            self.replicas.all[name].begin_stop()
        crashes, now = control.crashes, time.monotonic()
        if plan.start and control.progress.ready:
            self.busy |= not crashes.failed
            if now >= crashes.not_before:
                verdict, wave = self._verdict(revision), crashes.begin()
                for _ in range(plan.start):
                    started = self.replicas.start(
                        endpoint.id,
                        revision,
                        verdict.capture,
                        verdict.egress,
                        slim=verdict.slim,
                        most=verdict.scaling.most if verdict.scaling else revision.replicas,
                        secrets=places_of(endpoint, revision, verdict.secrets),
                    )
                    started.wave = wave
        since = [r.ready_at for r in mine if r.id in self._answered and not r.stopping]
        if len(since) >= count > 0:
            crashes.settle(now - max(since))

    def _stop_strangers(self, state: DesiredState | None) -> None:
        """Stop replicas of revisions that are not in the state; without one, what was recalled."""
        known = {r.id for e in state.endpoints for r in e.revisions} if state else set()
        for replica in self.replicas.all.values():
            strange = replica.record.revision not in known
            if strange if state else self.receipts.forbidden(replica.record):
                replica.begin_stop()

    def _finish_stopping(self, up: bool) -> None:
        for replica in [r for r in self.replicas.all.values() if r.stopping]:
            self.busy = True
            self._errors.alone(self._stop_step, replica, up)  # others are to be stopped too

    def _stop_step(self, replica: Replica, up: bool) -> None:
        if replica.alive and not replica.termed_at and not self._drained(replica, up):
            return
        if self.replicas.stop_step(replica):
            self.proxy.table.drop_server(replica.id)
            self.replicas.discard(replica)

    def _drained(self, replica: Replica, up: bool) -> bool:
        """Whether no request is under way on a replica, or it has had its time."""
        allowed = self.verdicts.get(replica.record.revision, PermitVerdict(True)).allowed
        recalled = not allowed or self.receipts.forbidden(replica.record)
        limit = RECALL_DRAIN_SECONDS if recalled else DRAIN_SECONDS
        if not up or time.monotonic() - replica.stopping_since > limit:
            return True
        return self._front.followed and self._sessions(replica) == 0

    def _sessions(self, replica: Replica) -> int:
        try:
            return self.proxy.sessions(replica.id)
        except AdminError:
            return 1  # unknown: as if one was under way

    # --- the table ---------------------------------------------------------------------------

    def _ready(self, revision: str) -> bool:
        return any(self._takes_requests(r) for r in self.replicas.of(revision))

    def _takes_requests(self, replica: Replica) -> bool:
        return replica.id in self._answered and not replica.stopping and replica.alive

    def _able(self, revision: DesiredRevision) -> bool:
        return self._wanted(revision) == "run" and self._ready(revision.id)

    def _arrange(self, state: DesiredState) -> None:
        table = self.proxy.table
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
        control = self._control(revision)
        control.full = self.proxy.complaint(entry)  # as it was, while HAProxy does not run
        for replica in self.replicas.of(revision.id):
            if replica.stopping or replica.id not in self._answered:
                continue
            try:
                server = self.proxy.table.ensure_server(
                    entry, revision.id, replica.id, replica.address, keeps=replica.record.keeps
                )
            except Full as error:
                control.full = str(error)
                continue
            server.drained = self._wanted(revision) != "run"

    def _route(self, entry: EndpointRoute, endpoint: DesiredEndpoint) -> None:
        standings = {
            revision.id: RoutedRevision(
                may_serve=self._wanted(revision) == "run",
                ready=self._ready(revision.id) and entry.backend_index(revision.id) is not None,
                unit=(verdict := self._verdict(revision)).unit,
                limits=verdict.limits,
            )
            for revision in endpoint.revisions
        }
        route(entry, endpoint, standings, self.sentinel.aborts.of(endpoint.id))
        self._drain_stopping(entry)

    def _drain_stopping(self, entry: EndpointRoute) -> None:
        for servers in entry.servers.values():
            for server in servers.values():
                replica = self.replicas.all.get(server.replica)
                server.drained |= replica is None or replica.stopping

    def _forget_revisions(self, entry: EndpointRoute, revisions: Sequence[DesiredRevision]) -> None:
        keep = {r.id for r in revisions if self._wanted(r) == "run"}
        for revision in list(entry.backends.values()):
            index = entry.backend_index(revision)
            if revision not in keep and index is not None and not entry.servers.get(index):
                self.proxy.table.drop_revision(entry, revision)

    # --- what is seen ------------------------------------------------------------------------

    def _observe(self) -> None:
        state = self.state
        if state is None:
            self.observed = Observed(errors=tuple(self._errors.now), proxy=self._front.report)
            return
        reports = [self._report(r) for e in state.endpoints for r in e.revisions]
        reports += refused_reports(state.refused, self._controls)
        known = {report["id"] for report in reports}
        records = [r.record for r in self.replicas.all.values()]
        digests = {record.bento_digest for record in records}
        reports += leaving_reports(records, known)
        receipts = self.receipts.look(records, self._book, state.epoch)
        if fault := self.sentinel.aborts.fault:
            self._errors.tell("abort_unstored", fault)
        if fault := self.receipts.fault:
            self._errors.tell("receipt_unstored", fault)
        self._controls = {k: c for k, c in self._controls.items() if k in known}
        self.observed = Observed(
            revisions=tuple(reports),
            prefetched=tuple(self.preparer.lying_ready(state.prefetch)),
            recalled=tuple(sorted(state.recalled - digests)),
            errors=(*self._errors.now, *state.errors),
            aborts=self.sentinel.aborts.all(),
            receipts=receipts,
            applied=state.generation,
            proxy=self._front.report,
        )

    def _report(self, revision: DesiredRevision) -> RevisionReport:
        control, mine = self._control(revision), self.replicas.of(revision.id)
        ready = sum(self._takes_requests(r) for r in mine) if self._front.up else 0
        wanted, verdict = self._wanted(revision), self._verdict(revision)
        starting = [r.note for r in mine if r.id not in self._answered and not r.stopping]
        seen = rules.PhaseFacts(
            allowed=verdict.allowed,
            reason=verdict.reason,
            wanted=wanted,
            replicas=self._scaler.least(revision),
            ready=ready,
            present=len(mine),
            weight=self._front.weights.get(revision.id, 0) if self._front.up else 0,
            sessions=sum(self._sessions(r) for r in mine) if wanted == "drain" else 0,
            prepared=control.progress.ready,
            failed=control.progress.failure or control.full or control.crashes.sentence,
            note=starting[0] if starting else control.progress.note or self._front.sentence,
        )
        phase, detail = rules.phase_of(seen)
        if phase == "stopped" and self._expired():
            detail = "the state is past its time and says to stop then"
        if phase in {"preparing", "starting"} or (wanted == "drain" and phase != "drained"):
            self.busy = True
        control.enter(revision.id, phase, detail, complete=ready >= seen.replicas)
        records, reached = [r.record for r in mine], self.replicas.reached(revision.id)
        return revision_report(revision, seen, (phase, detail), control, records, reached)
