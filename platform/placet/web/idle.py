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
from ipaddress import IPv6Address, ip_address
from typing import Any

from placet.web.tls import Wire


class Idle:
    """All of them."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kinds: list[Looked] = []
        self.crowding: bytes | None = None  # the client with most, where little room is left

    def __len__(self) -> int:
        return sum(map(len, self.kinds))

    def bound(self) -> None:
        """End as many as are too many: where nobody has filled the process, none is."""
        while len(self) > self.most:
            self.end_one()
        kept = [kind for kind in self.kinds if not kind.told]
        full = 4 * sum(map(len, kept)) > 3 * self.most
        self.crowding = max(kind.most() for kind in kept)[2] if full else None

    def end_one(self) -> bool:
        """End the oldest of those of which one client has most; tell whether there was one.

        Who opens many ends their own, and not those of others. First go those that were told to.
        """
        kind = max(self.kinds, key=lambda kind: (kind.told and len(kind) > 0, kind.most()))
        count, _, origin = kind.most()
        if count:
            kind.end_oldest_of(origin)
        return count > 0


class Looked(ABC):
    """Connections that the main thread looks at, each for so many seconds at most.

    What goes wrong with one of them ends that one, and not the process.
    """

    told = False  # whether their clients were told that they end

    def __init__(self, worker: Any, seconds: float) -> None:
        self.worker, self.seconds = worker, seconds
        self._until: dict[Any, float] = {}  # in the order of their ends
        # by their client, the oldest first, and since when
        self._of: dict[bytes, dict[Any, float]] = {}

    def __len__(self) -> int:
        return len(self._until)

    def most(self) -> tuple[int, float, bytes]:
        """Return of the client that has most of them how many that is, minus the time at which its
        oldest came, and its ``origin``; of several clients, of the one whose oldest is oldest."""
        clients = self._of.items()
        counts = ((len(conns), -next(iter(conns.values())), who) for who, conns in clients)
        return max(counts, default=(0, 0.0, b""))

    def end_late(self) -> None:
        """End those whose time is up."""
        now = time.monotonic()
        while self._until and next(iter(self._until.values())) <= now:
            self._end_unless_asked(next(iter(self._until)))

    def end_oldest_of(self, origin: bytes) -> None:
        """End the one of a client that has been here longest, or let it go on."""
        self._end_unless_asked(next(iter(self._of[origin])))

    def _end_unless_asked(self, conn: Any) -> None:
        """End one. What has come since the poller looked is taken first: its client, mostly a
        proxy, could not know."""
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
        self._of.setdefault(conn.origin, {})[conn] = time.monotonic()

    def remove(self, conn: Any) -> None:
        """Look at it no more."""
        self._until.pop(conn, None)
        if mine := self._of.get(conn.origin):
            mine.pop(conn, None)
            if not mine:
                del self._of[conn.origin]
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


def origin(address: Any) -> bytes:
    """Return whose an address is: that of IPv4, of IPv6 the network of 64 bits, in which one client
    may have as many as it likes. A Unix socket tells of nobody."""
    if not isinstance(address, tuple):
        return b""
    ip = ip_address(address[0].partition("%")[0])
    if isinstance(ip, IPv6Address):
        return ip.packed[:8] if ip.ipv4_mapped is None else ip.ipv4_mapped.packed
    return ip.packed


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
