"""Watches the revisions that are tried out, and gives their requests back when a guard trips."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from placet_agent import guard
from placet_agent.reports.metrics import RequestLine
from placet_agent.state.aborts import Aborts
from placet_protocol.fields import format_time
from placet_protocol.guard import Guard
from placet_protocol.report import Generation, LocalAbort
from placet_protocol.state import DesiredEndpoint, DesiredRevision, DesiredState

log = logging.getLogger(__name__)


class Sentinel:
    """Counts in the thread of the meter, decides in that of the loop.

    ``wake`` has the loop look at once; without it the next pass finds a broken rule.
    """

    def __init__(self, aborts: Aborts, wake: Callable[[], None]) -> None:
        self.aborts = aborts
        self._wake = wake
        self._lock = threading.Lock()
        self._watched: dict[str, tuple[Guard, guard.GuardMemory]] = {}

    def follow(self, state: DesiredState) -> None:
        """Watch what ``state`` guards; what was seen of it before still counts."""
        wanted = {
            revision.id: revision.guard
            for endpoint in state.endpoints
            for revision in endpoint.revisions
            if revision.guard is not None and revision.id != endpoint.stable
        }
        with self._lock:
            before = self._watched
            self._watched = {}
            for name, rules in wanted.items():
                kept = before.get(name)
                same = kept is not None and kept[0] == rules
                self._watched[name] = kept if kept and same else (rules, guard.GuardMemory())

    def count(self, line: RequestLine) -> None:
        """Take in one request, if it was drawn for a revision that is watched."""
        if line.cohort is not None:
            return
        with self._lock:
            watched = self._watched.get(line.revision)
            if watched is None:
                return
            rules, seen = watched
            full = guard.count(rules, seen, time.monotonic(), line.status, line.milliseconds)
        if full:
            self._wake()

    def look(self, state: DesiredState, able: Callable[[DesiredRevision], bool]) -> None:
        """Abort where a guard trips while stable is able to answer."""
        self.aborts.follow(state)
        for endpoint in state.endpoints:
            if self.aborts.of(endpoint.id) is None:
                self._judge(state, endpoint, able)

    def _judge(
        self,
        state: DesiredState,
        endpoint: DesiredEndpoint,
        able: Callable[[DesiredRevision], bool],
    ) -> None:
        stable = next((r for r in endpoint.revisions if r.id == endpoint.stable), None)
        if stable is None or not able(stable):
            return  # whatever the new one answers, nothing else does
        for revision in endpoint.revisions:
            if (trip := self._trip(revision.id)) is not None:
                log.error("revision %s loses its requests: %s", revision.id, trip.detail)
                epoch, number = state.generation
                self.aborts.add(
                    LocalAbort(
                        endpoint=endpoint.id,
                        revision=revision.id,
                        stable=stable.id,
                        rule=trip.rule,
                        detail=trip.detail,
                        at=format_time(datetime.now(UTC)),
                        state=Generation(epoch=epoch, number=number),
                    )
                )
                return

    def _trip(self, revision: str) -> guard.Trip | None:
        with self._lock:
            watched = self._watched.get(revision)
            return guard.judge(*watched, time.monotonic()) if watched else None
