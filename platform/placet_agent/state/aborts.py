"""What this node gave back to stable by itself: on disk before anything follows from it, if it can
be. An abort that the disk does not take counts all the same, and is written when there is room.

An abort counts for its revision, and so for its rollout: another rollout brings another revision.
It stands through restarts and through every state that goes on with that revision, and it is kept
until the platform has been told.
"""

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from placet_agent.state import files
from placet_protocol.report import LocalAbort
from placet_protocol.state import DesiredEndpoint, DesiredState


@dataclass
class StoredAbort:
    """An abort; ``lifted`` when a later state began something else."""

    abort: LocalAbort
    lifted: bool = False
    told: bool = False


def lifts(endpoint: DesiredEndpoint | None, abort: LocalAbort) -> bool:
    """Tell whether a state that says ``endpoint`` has left the rollout of ``abort`` behind."""
    if endpoint is None or abort["revision"] not in {r.id for r in endpoint.revisions}:
        return True
    concerned = (abort["revision"], abort["stable"])
    return any(r.weight or r.guard for r in endpoint.revisions if r.id not in concerned)


class Aborts:
    """The file of aborts. The loop adds and lifts, the reporter says what it told."""

    def __init__(self, path: Path) -> None:
        self._copy = files.Copy(path)
        self._lock = threading.Lock()
        self._kept = [StoredAbort(**row) for row in files.read_json(path) or []]

    @property
    def fault(self) -> str:
        """Why the disk does not have all of them; '' when it has."""
        return self._copy.fault

    def of(self, endpoint: str) -> LocalAbort | None:
        """Return the abort that stands at an endpoint."""
        with self._lock:
            standing = (kept.abort for kept in self._kept if not kept.lifted)
            return next((a for a in standing if a["endpoint"] == endpoint), None)

    def all(self) -> tuple[LocalAbort, ...]:
        """Return what is to be reported: what stands, and what was not told yet."""
        with self._lock:
            return tuple(kept.abort for kept in self._kept)

    def add(self, abort: LocalAbort) -> None:
        """Have an abort count, and write it down."""
        with self._lock:
            self._kept.append(StoredAbort(abort))
            self._store()

    def follow(self, state: DesiredState) -> None:
        """Lift what ``state`` has left behind; write again what could not be written."""
        endpoints = {endpoint.id: endpoint for endpoint in state.endpoints}
        with self._lock:
            standing = [kept for kept in self._kept if not kept.lifted]
            for kept in standing:
                kept.lifted = lifts(endpoints.get(kept.abort["endpoint"]), kept.abort)
            if any(kept.lifted for kept in standing) or self.fault:
                self._store()

    def tell(self, aborts: Iterable[LocalAbort]) -> None:
        """Note that the platform has heard of them."""
        revisions = {abort["revision"] for abort in aborts}
        with self._lock:
            fresh = [k for k in self._kept if k.abort["revision"] in revisions and not k.told]
            for kept in fresh:
                kept.told = True
            if fresh:
                self._store()

    def _store(self) -> None:
        """Write down what has changed, without what is over."""
        self._kept = [kept for kept in self._kept if not (kept.lifted and kept.told)]
        self._copy.write([asdict(row) for row in self._kept])
