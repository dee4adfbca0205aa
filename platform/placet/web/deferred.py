"""What threads leave to gunicorn's main thread, also as that ends."""

import threading
from collections.abc import Callable
from typing import Any

from gunicorn.workers.gthread import PollableMethodQueue


class Deferred(PollableMethodQueue):  # type: ignore[misc]
    """What threads leave to the main thread, until it has ended: threads that end later would wake
    it through a number that by then may be another file's, or a connection's."""

    def __init__(self) -> None:
        super().__init__()
        self._open = True
        self._lock = threading.RLock()  # a signal may come while the main thread has it

    def defer(self, callback: Callable[..., Any], *args: Any) -> None:
        """Have the main thread call this, if it still is there."""
        with self._lock:
            if self._open:
                super().defer(callback, *args)

    def close(self) -> None:
        """End it."""
        with self._lock:
            self._open = False
            super().close()
