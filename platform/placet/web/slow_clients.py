"""The threads that wait for a client to send more of its request, or to take more of its answer.

Each client has ``SECONDS`` for that, and a second more for each ``RATE`` bytes, so that a slow line
moves what is gigabytes long; but never more than ``MOST`` ahead, or who was fast once could stand
still for a day. Where more than half of a worker's threads wait so, and work waits for a thread,
the clients that are slowest have no more: the other threads stay for those who send and read.
"""

import threading
from collections import Counter
from typing import Any

LOOK = 1.0  # seconds until it is looked how fast a client is, and who else waits for a thread
SECONDS, MOST, RATE = 20.0, 60.0, 8 << 10


class Waited:
    """A client that a thread waits for, how long it still may, and how fast the client is.

    What the application does meanwhile does not count.
    """

    def __init__(self, sock: Any, slow: "SlowClients", client: bytes = b"") -> None:
        self._sock, self._slow, self.origin = sock, slow, client  # as ``placet.web.idle`` has it
        self.renew()

    def renew(self) -> None:
        """Begin anew, with another request."""
        self.left, self._waited, self._moved = SECONDS, 0.0, 0

    def count(self, waited: float, moved: int) -> None:
        """Count seconds of waiting, and bytes that came or were taken meanwhile."""
        self._waited, self._moved = self._waited + waited, self._moved + moved
        self.left = min(MOST, self.left - waited + moved / RATE)

    @property
    def rate(self) -> float:
        """How many bytes come or go in a second of waiting; more than any while it is new."""
        return self._moved / self._waited if self._waited >= LOOK else float("inf")


class SlowClients:
    """Those of a worker."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._waiting: set[Waited] = set()
        self._lock = threading.Lock()

    def begin(self, one: Waited) -> None:
        """Count one that waits."""
        with self._lock:
            self._waiting.add(one)

    def end(self, one: Waited) -> None:
        """Count it no more."""
        with self._lock:
            self._waiting.remove(one)

    def clients(self) -> Counter[bytes]:
        """Return how many threads wait for each client."""
        with self._lock:
            return Counter(one.origin for one in self._waiting)

    def excess(self, one: Waited) -> bool:
        """Tell whether too many wait, others need a thread, and this is among those to go."""
        threads = self._worker.cfg.threads
        if one.rate == float("inf") or self._worker.nr_conns - len(self._worker.idle) <= threads:
            return False  # it is too new, or whoever asks has a thread
        with self._lock:
            waiting = sorted(self._waiting, key=lambda other: other.rate)
        return one in waiting[: max(0, len(waiting) - max(1, threads // 2))]
