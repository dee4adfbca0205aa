"""One pass: look at what is wanted and what runs, take the next steps, say what is seen.

Level-triggered: a pass needs no memory of the pass before, and may be repeated or cut short at
any point. Only the loop's thread comes here, but for ``take`` and ``newest``.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from placet_agent import rules
from placet_agent.arranging import Arranger
from placet_agent.downloads.preparer import Need, Preparer
from placet_agent.front import Front
from placet_agent.haproxy.proxy import Proxy
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
from placet_agent.scaling import Scaler
from placet_agent.secret_supply import SecretSupply, places_of
from placet_agent.sleeping import WAIT_SECONDS, Sleeper, Sleepers
from placet_agent.state.trust import PermitVerdict
from placet_agent.stopping import Stopper
from placet_protocol.report import Phase, RevisionReport
from placet_protocol.state import DesiredEndpoint, DesiredRevision, DesiredState, Wanted
from placet_verify.recalls import Book

log = logging.getLogger(__name__)

Permits = Callable[[DesiredState, DesiredEndpoint, DesiredRevision], PermitVerdict]


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
        permits: Permits | None = None,
    ) -> None:
        """``permits`` checks a permit anew, for what wakes."""
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
        self._stopper = Stopper(self._front, replicas, receipts, self._errors)
        self._scaler = Scaler(proxy.loads)
        self._sleepers = Sleepers(replicas.starter.doors, self._scaler, self._errors)
        self._permits = permits
        self._arranger = Arranger(self, proxy, replicas, sentinel, self._sleepers)

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
        self._errors.alone(self._stopper.begin_with_strangers, self.state)
        if self.state is not None:
            self._errors.alone(self._prepare, self.state)
            self._errors.alone(self._wake, self.state)
            self._errors.alone(self._follow_load, self.state)
            self._errors.alone(self._keep_sleepers, self.state)
            self._errors.alone(self._scale_each, self.state)
            self._errors.alone(self.sentinel.look, self.state, self._able)
            self._errors.alone(self._arranger.arrange, self.state)
        self._lead()
        self.busy |= self._stopper.go_on(self.verdicts)
        self._observe()

    # --- HAProxy -----------------------------------------------------------------------------

    def _lead(self) -> None:
        """Have HAProxy follow the table, and remember whom it leaves out."""
        self._front.follow(self.ready)
        if not self._front.followed:
            self.busy |= self._front.up
            return
        self.busy |= self.proxy.ending
        for detail, revisions in self.proxy.complaints():
            self._errors.tell("endpoint_left_out", detail)
            for revision in revisions:
                self._controls.setdefault(revision, RevisionMemory()).full = detail

    # --- replicas ----------------------------------------------------------------------------

    def wanted(self, revision: DesiredRevision) -> Wanted:
        """Return what is to become of a revision: what the state says, where its permit holds."""
        if not self.verdict(revision).allowed or self._expired():
            return "stop"
        return revision.wanted

    def verdict(self, revision: DesiredRevision) -> PermitVerdict:
        """Return whether a revision may run, and as what people approved."""
        return self.verdicts.get(revision.id, PermitVerdict(False, "its permit was not checked"))

    def _settings(self, revision: DesiredRevision) -> tuple[object, ...]:
        return wanted_settings(revision, self.verdict(revision).secrets.values())

    def _expired(self) -> bool:
        if (state := self.state) is None or state.on_expired != "stop":
            return False
        return datetime.now(UTC) > state.valid_until

    def control(self, revision: DesiredRevision) -> RevisionMemory:
        """Return what is remembered of a revision; afresh when what is wanted has changed."""
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
                control = self.control(revision)
                if self.wanted(revision) != "run":
                    continue
                need = Need.of(revision)
                needs.add(need)
                progress, named = self.preparer.ask(need), self.verdict(revision).secrets
                control.progress = self.supply.beside(progress, endpoint, revision, named)
                waiting |= progress.running
        self.supply.forget_others()
        self.replicas.warming.follow({n.runtime_digest for n in needs}, self.replicas.all.values())
        if not waiting:
            for item in state.prefetch:
                if item.bento_digest not in state.recalled:
                    need = Need(item.bento_digest, None, item.runtime_digest)
                    needs.add(need)
                    self.preparer.ask(need)
            self.preparer.forget_others(needs)

    def _follow_load(self, state: DesiredState) -> None:
        revisions = [r for e in state.endpoints for r in e.revisions if self.wanted(r) == "run"]
        self._scaler.follow(
            state.endpoints,
            {r.id: how for r in revisions if (how := self.verdict(r).scaling)},
            self._running,
            self._answers,
        )

    def _running(self, revision: str) -> int | None:
        """Return how many run: amid a restart of all, those that come or those that go."""
        kinds = Counter(settings_of(r.record) for r in self.replicas.of(revision) if not r.stopping)
        running = max(kinds.values(), default=0)
        return None if not running and self._sleepers.doors.asleep(revision) else running

    def _wake(self, state: DesiredState) -> None:
        """Wake what somebody came for, if its permit and the recalls allow that now."""
        for endpoint, revision in _revisions(state):
            if self._sleepers.is_called(revision) and self.wanted(revision) == "run":
                if self._permits is not None:
                    self.verdicts[revision.id] = self._permits(state, endpoint, revision)
                if self.verdict(revision).allowed:
                    log.info("revision %s wakes", revision.id)
                    self._scaler.wake(revision.id)

    def _keep_sleepers(self, state: DesiredState) -> None:
        self._sleepers.keep(self._sleeper(e, r) for e, r in _revisions(state))

    def _sleeper(self, endpoint: DesiredEndpoint, revision: DesiredRevision) -> Sleeper:
        control, limits = self.control(revision), self.verdict(revision).limits
        return Sleeper(
            revision.id,
            may=self.may_sleep(revision) and revision.id == endpoint.stable,
            answers=self._answers(revision.id),
            starting={r.id for r in self.replicas.of(revision.id) if r.alive and not r.stopping},
            prepared=control.progress.ready,
            failed=control.crashes.failed,
            seconds=(limits.queue_seconds if limits else None) or WAIT_SECONDS,
        )

    def _scale_each(self, state: DesiredState) -> None:
        """Start and stop; a fault at one revision, a full disk say, keeps no other from it."""
        for endpoint, revision in _revisions(state):
            try:
                self._scale(endpoint, revision)
            except Exception as error:
                log.exception("revision %s cannot be scaled", revision.id)
                crashes = self.control(revision).crashes
                crashes.add(time.monotonic(), 0.0, repr(error), crashes.begin())

    def _scale(self, endpoint: DesiredEndpoint, revision: DesiredRevision) -> None:
        control, wanted = self.control(revision), self.wanted(revision)
        mine = self.replicas.of(revision.id)
        if wanted == "drain":
            return
        count = self._scaler.count(revision) if wanted == "run" else 0
        if not count and self.may_sleep(revision) and not self._sleepers.waits(revision.id):
            count = 1  # nobody could wake it
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
                self._start(endpoint, revision, plan.start)
        since = [r.ready_at for r in mine if r.id in self._answered and not r.stopping]
        if len(since) >= count > 0:
            crashes.settle(now - max(since))

    def _start(self, endpoint: DesiredEndpoint, revision: DesiredRevision, count: int) -> None:
        """Start replicas; the first takes the socket at which requests wait, where there is one."""
        door = self._sleepers.doors.of(revision.id)
        name = door.name if door is not None and not door.taken else ""
        if name in self.replicas.all:  # the one before, which never had it, is still to be cleared
            return
        verdict, wave = self.verdict(revision), self.control(revision).crashes.begin()
        for number in range(count):
            started = self.replicas.start(
                endpoint.id,
                revision,
                verdict.capture,
                verdict.egress,
                slim=verdict.slim,
                most=verdict.scaling.most if verdict.scaling else revision.replicas,
                name="" if number else name,
                secrets=places_of(endpoint, revision, verdict.secrets),
            )
            started.wave = wave
            if verdict.limits:  # it is written with what its start finds out
                started.record.request_seconds = verdict.limits.request_seconds or 0

    def ready(self, revision: str) -> bool:
        """Whether requests may be led to a revision: they are answered, or wake it."""
        return self._sleepers.waits(revision) or self._answers(revision)

    def _answers(self, revision: str) -> bool:
        return any(self._takes_requests(r) for r in self.replicas.of(revision))

    def may_sleep(self, revision: DesiredRevision) -> bool:
        """Whether people approved that it may have no replica, and it is wanted to run."""
        scaling = self.verdict(revision).scaling if self.wanted(revision) == "run" else None
        return scaling is not None and scaling.sleeps

    def answered(self, replica: Replica) -> bool:
        """Whether a replica did when the pass began, and is not to stop."""
        return replica.id in self._answered and not replica.stopping

    def _takes_requests(self, replica: Replica) -> bool:
        return self.answered(replica) and replica.alive

    def _able(self, revision: DesiredRevision) -> bool:
        return self.wanted(revision) == "run" and self.ready(revision.id)

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
            warm=self.replicas.warming.ready,
            proxy=self._front.report,
        )

    def _report(self, revision: DesiredRevision) -> RevisionReport:
        control, mine = self.control(revision), self.replicas.of(revision.id)
        ready = sum(self._takes_requests(r) for r in mine) if self._front.up else 0
        wanted, verdict = self.wanted(revision), self.verdict(revision)
        starting = [r.note for r in mine if r.id not in self._answered and not r.stopping]
        seen = rules.PhaseFacts(
            allowed=verdict.allowed,
            reason=verdict.reason,
            wanted=wanted,
            replicas=self._scaler.least(revision) or min(1, revision.replicas),
            ready=ready,
            present=len(mine),
            weight=self._front.weights.get(revision.id, 0) if self._front.up else 0,
            sessions=sum(self._stopper.sessions(r) for r in mine) if wanted == "drain" else 0,
            prepared=control.progress.ready,
            failed=control.progress.failure or control.full or control.crashes.sentence,
            note=starting[0] if starting else control.progress.note or self._front.sentence,
            asleep=self._front.up and self._sleepers.waits(revision.id),
        )
        phase, detail = self._phase(revision, seen)
        control.enter(revision.id, phase, detail, complete=ready >= seen.replicas)
        records, reached = [r.record for r in mine], self.replicas.reached(revision.id)
        return revision_report(revision, seen, (phase, detail), control, records, reached)

    def _phase(self, revision: DesiredRevision, seen: rules.PhaseFacts) -> tuple[Phase, str]:
        phase, detail = rules.phase_of(seen)
        if phase == "stopped" and self._expired():
            detail = "the state is past its time and says to stop then"
        going = phase in {"preparing", "starting"}
        if phase == "asleep":
            going = self._scaler.is_awake(revision.id)
            detail = f"it wakes: {detail}" if going else ""
        if going or (seen.wanted == "drain" and phase != "drained"):
            self.busy = True
        return phase, detail


def _revisions(state: DesiredState) -> list[tuple[DesiredEndpoint, DesiredRevision]]:
    return [(e, r) for e in state.endpoints for r in e.revisions]
