"""The connections of a web process that hold no thread: how many there may be, and which one ends.

There are several kinds, and what bounds one must know of the others: five hundred clients that send
half a head and five hundred that ask nothing more are a thousand, and gunicorn takes no more.
"""

import contextlib
import select
import selectors
import time
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Protocol

from placet.web.tls import Wire


class Kind(Protocol):
    """Connections that are there for one reason."""

    def __len__(self) -> int: ...

    def end_oldest(self) -> None:
        """End the one that has been here longest, or let it go on if there is something to do."""


class Idle:
    """All of them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kinds: list[Kind] = []

    def bound(self) -> None:
        """End as many as are too many: where nobody has filled the process, none is."""
        while sum(len(kind) for kind in self.kinds) > self.most:
            self.end_one()

    def end_one(self) -> bool:
        """End the oldest of the kind of which there are most; tell whether there was one.

        Who opens many of one kind ends their own, and not those of others.
        """
        kind = max(self.kinds, key=len)
        if not len(kind):
            return False
        kind.end_oldest()
        return True


class Looked(ABC):
    """Connections that the main thread looks at, each for so many seconds at most.

    What goes wrong with one of them ends that one, and not the process.
    """

    def __init__(self, worker: Any, seconds: float) -> None:
        self.worker, self.seconds = worker, seconds
        self._until: dict[Any, float] = {}  # in the order of their ends

    def __len__(self) -> int:
        return len(self._until)

    def end_late(self) -> None:
        """End those whose time is up."""
        now = time.monotonic()
        while self._until and next(iter(self._until.values())) <= now:
            self.end_oldest()

    def end_oldest(self) -> None:
        """End the one that has been here longest. What has come since the poller looked is taken
        first: its client, mostly a proxy, could not know."""
        conn = next(iter(self._until))
        self.look(conn)
        if conn in self._until:
            self.end(conn)

    def hurry(self, seconds: float) -> None:
        """Give each, and each that comes, so many seconds at most."""
        self.seconds, last = min(self.seconds, seconds), time.monotonic() + seconds
        self._until = {conn: min(until, last) for conn, until in self._until.items()}

    def look(self, conn: Any, _: Any = None) -> None:
        """Do what there is to do with a connection."""
        if conn not in self._until:
            return  # it went in this very turn of the loop
        try:
            self.readable(conn)
        except Exception:
            self.worker.log.exception("A connection is given up")
            self.end(conn)

    @abstractmethod
    def readable(self, conn: Any) -> None:
        """Take what may have come. Raises only while nobody else has the connection."""

    def add(self, conn: Any) -> None:
        """Look at a connection from now on."""
        conn.sock.setblocking(False)
        self.worker.poller.register(conn.sock, selectors.EVENT_READ, partial(self.look, conn))
        self._until[conn] = time.monotonic() + self.seconds

    def remove(self, conn: Any) -> None:
        """Look at it no more."""
        self._until.pop(conn, None)
        with contextlib.suppress(KeyError, ValueError, OSError):  # not looked at any more
            self.worker.poller.unregister(conn.sock)

    def end(self, conn: Any) -> None:
        """End a connection, which nobody else has."""
        self.remove(conn)
        self.worker.nr_conns -= 1
        conn.close()


class Resting(Looked):
    """Connections that are kept until their client asks again."""

    def take(self, conn: Any) -> None:
        """Keep one whose last request is answered."""
        self.add(conn)
        if decrypted(conn.sock):
            self.look(conn)

    def readable(self, conn: Any) -> None:
        """Have its next request gathered."""
        if has_come(conn.sock):
            self.remove(conn)
            self.worker.heads.take(conn)


def decrypted(wire: Any) -> int:
    """Return how many bytes TLS has of a client that no poller sees any more."""
    return wire.pending() if isinstance(wire, Wire) else 0


def has_come(wire: Any) -> bool:
    """Tell whether something came over a connection, or its client has ended it."""
    look = select.poll()  # select() takes no descriptor above 1,023, and epoll needs one of its own
    try:
        look.register(wire, select.POLLIN)
    except (ValueError, OSError):  # it was closed
        return False
    return bool(decrypted(wire) or look.poll(0))
