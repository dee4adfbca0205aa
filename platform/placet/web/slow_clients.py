"""The threads that wait for a client to send more of its request, or to take more of its answer.

Each client has some time for that (``placet.web.patience``, ``placet.web.sending``). Where more
than half of a worker's threads wait so, and work waits for a thread, the clients that are slowest
have no more: the other threads stay for those who send and read.
"""

import threading
from collections import Counter
from typing import Any, Protocol

LOOK = 1.0  # seconds until it is looked how fast a client is, and who else waits for a thread


class Waits(Protocol):
    """What a thread waits with."""

    origin: bytes  # of its client (``placet.web.idle``)

    @property
    def rate(self) -> float:
        """How many bytes come or go in a second of waiting; more than any while it is new."""


class SlowClients:
    """Those of a worker."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._waiting: set[Waits] = set()
        self._lock = threading.Lock()

    def begin(self, one: Waits) -> None:
        """Count one that waits."""
        with self._lock:
            self._waiting.add(one)

    def end(self, one: Waits) -> None:
        """Count it no more."""
        with self._lock:
            self._waiting.remove(one)

    def clients(self) -> Counter[bytes]:
        """Return how many threads wait for each client."""
        with self._lock:
            return Counter(one.origin for one in self._waiting)

    def excess(self, one: Waits) -> bool:
        """Tell whether too many wait, others need a thread, and this is among those to go."""
        threads, idle = self._worker.cfg.threads, self._worker.idle.kinds
        if one.rate == float("inf") or self._worker.nr_conns - sum(map(len, idle)) <= threads:
            return False  # it is too new, or whoever asks has a thread
        with self._lock:
            waiting = sorted(self._waiting, key=lambda other: other.rate)
        return one in waiting[: max(0, len(waiting) - max(1, threads // 2))]
