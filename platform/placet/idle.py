"""The connections of a web process that hold no thread: how many there may be, and which one ends.

There are several kinds, and what bounds one must know of the others: five hundred clients that send
half a head and five hundred that ask nothing more are a thousand, and gunicorn takes no more.
"""

import contextlib
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol


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


class Resting:
    """Connections that gunicorn keeps until their client asks: ``asked`` takes those that did."""

    def __init__(self, worker: Any, conns: deque[Any], asked: Callable[[Any, Any], None]) -> None:
        self.worker, self.conns, self._asked = worker, conns, asked

    def __len__(self) -> int:
        return len(self.conns)

    def end_oldest(self) -> None:
        """End the one that has been here longest. A request that has come since the poller looked
        is answered first: its client, mostly a proxy, could not know."""
        conn = self.conns[0]
        if readable(conn.sock):
            self._asked(conn, conn.sock)
            return
        self.conns.popleft()
        with contextlib.suppress(KeyError, ValueError, OSError):  # not looked at any more
            self.worker.poller.unregister(conn.sock)
        self.worker.nr_conns -= 1
        conn.close()


def readable(wire: socket.socket) -> bool:
    """Tell whether something came over a connection, or its client has ended it."""
    look = select.poll()  # select() takes no descriptor above 1,023, and epoll needs one of its own
    try:
        look.register(wire, select.POLLIN)
    except (ValueError, OSError):  # it was closed
        return False
    return bool(look.poll(0))
