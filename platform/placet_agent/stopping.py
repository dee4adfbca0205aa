"""Ends replicas that are to stop, once nothing is under way on them or their time is over."""

import time
from collections.abc import Mapping

from placet_agent.front import Front
from placet_agent.haproxy.admin import AdminError
from placet_agent.observed import Errors
from placet_agent.process.replica import Replica
from placet_agent.process.replicas import Replicas
from placet_agent.reports.receipts import Receipts
from placet_agent.state.trust import PermitVerdict
from placet_protocol.state import DesiredState

DRAIN_SECONDS = 30.0  # the least that what is under way has
MARGIN_SECONDS = 5.0  # beside what a request may take: it may have been under way to its replica
RECALL_DRAIN_SECONDS = 1.0


class Stopper:
    """Stops what nobody wants any more, each replica for itself."""

    def __init__(self, front: Front, replicas: Replicas, receipts: Receipts, errors: Errors):
        self._front, self._replicas = front, replicas
        self._receipts, self._errors = receipts, errors

    def begin_with_strangers(self, state: DesiredState | None) -> None:
        """Stop replicas of revisions that are not in the state; without one, what was recalled."""
        known = {r.id for e in state.endpoints for r in e.revisions} if state else set()
        for replica in self._replicas.all.values():
            strange = replica.record.revision not in known
            if strange if state else self._receipts.forbidden(replica.record):
                replica.begin_stop()

    def go_on(self, verdicts: Mapping[str, PermitVerdict]) -> bool:
        """Take the next step with each that stops; tell whether there is any."""
        stopping = [r for r in self._replicas.all.values() if r.stopping]
        for replica in stopping:
            self._errors.alone(self._step, replica, verdicts)  # others are to be stopped too
        return bool(stopping)

    def _step(self, replica: Replica, verdicts: Mapping[str, PermitVerdict]) -> None:
        if replica.alive and not replica.termed_at and not self._drained(replica, verdicts):
            return
        if self._replicas.stop_step(replica):
            if not self._replicas.starter.doors.is_spared(replica.id):
                self._front.proxy.table.drop_server(replica.id)
            self._replicas.discard(replica)

    def _drained(self, replica: Replica, verdicts: Mapping[str, PermitVerdict]) -> bool:
        """Whether no request is under way on a replica, or it has had its time."""
        allowed = verdicts.get(replica.record.revision, PermitVerdict(True)).allowed
        recalled = not allowed or self._receipts.forbidden(replica.record)
        limit = RECALL_DRAIN_SECONDS if recalled else self._patience(replica)
        if not self._front.up or time.monotonic() - replica.stopping_since > limit:
            return True
        if not self._front.followed or self.sessions(replica):
            return False
        # What a HAProxy before this one has still to answer, nobody counts.
        return recalled or not self._front.proxy.process.is_leaving(limit)

    def _patience(self, replica: Replica) -> float:
        """Return for how many seconds what is under way is waited for: as long as it may take."""
        longest = self._front.proxy.settings.server_timeout_seconds
        allowed = min(replica.record.request_seconds or longest, longest)
        return max(DRAIN_SECONDS, allowed + MARGIN_SECONDS)

    def sessions(self, replica: Replica) -> int:
        """Return how many requests are under way on a replica; 1 where nobody can tell."""
        try:
            return self._front.proxy.sessions(replica.id)
        except AdminError:
            return 1  # unknown: as if one was under way
