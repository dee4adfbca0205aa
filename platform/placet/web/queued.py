"""Connections whose request waits for a thread, and which of them has the next.

It is of the client that had threads for the shortest time of late, and of the same client the one
that waited longest: a thousand requests that are work, or whose bodies do not come, stand behind
the next one of anybody else. No request counts for more than ``COUNTED`` seconds, so that one that
stalls keeps back no others of its client.
"""

import time
from collections import defaultdict, deque
from concurrent.futures import Future
from typing import Any

COUNTED, SPAN = 1.0, 10.0  # seconds, and those after which it is counted anew
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Connection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"
)


class Queued:
    """Those of a worker, on its main thread."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._conns: deque[Any] = deque()
        self._free: float = worker.cfg.threads
        self._had, self._since = defaultdict[bytes, float](float), 0.0  # seconds of threads

    def add(self, conn: Any) -> None:
        """Give a connection to a thread as soon as it is its turn."""
        self._conns.append(conn)
        self._begin()

    def done(self, conn: Any) -> None:
        """Give the thread that a connection had to the next."""
        if (now := time.monotonic()) >= self._since + SPAN:
            self._since = now
            self._had.clear()
        self._had[conn.origin] += min(now - conn.begun, COUNTED)
        self._free += 1
        self._begin()

    def end(self) -> None:
        """Leave all that wait, and that come, to the threads: the process ends."""
        self._free = float("inf")
        self._begin()

    def refuse_surplus(self) -> None:
        """Where the process can take no other connection, and half of the threads wait for clients,
        refuse all that the one has here for whom most wait: who is at the door waits for nothing
        else. Those that waited for news have their answer already."""
        if self._worker.nr_conns < self._worker.worker_connections:
            return  # nothing is counted in each turn of the loop where there is room
        waiting = self._worker.slow.clients()
        if 2 * waiting.total() < self._worker.cfg.threads:
            return
        slowest, count = waiting.most_common(1)[0]
        if count < 2:
            return  # one that stalls is not held against others of its address
        for conn in [c for c in self._conns if c.origin == slowest and not c.held]:
            self._conns.remove(conn)
            self._worker.leaving.refuse(conn, BUSY)

    def _begin(self) -> None:
        while self._conns and self._free > 0:
            conn = self._next()
            self._conns.remove(conn)
            self._free -= 1
            conn.begun = time.monotonic()
            try:
                self._worker.begin(conn)
            except Exception as error:
                failed: Future[Any] = Future()
                failed.set_exception(error)
                self._worker.method_queue.defer(self._worker.finish_request, conn, failed)

    def _next(self) -> Any:
        return min(self._conns, key=lambda conn: self._had[conn.origin])
