"""Serves a replica's socket for a program that can only listen on a port.

A Bento of several services cannot be handed a socket. It listens on 127.0.0.1 of a network
namespace of its own, and the link accepts on the replica's Unix socket and connects there. The
link enters that namespace once, at its start, and stays there for good, as a user that is neither
the replica's nor HAProxy's and has no capability: it listens on nothing inside, shares with the
replica neither pid, mount nor IPC namespace, and there is less to reach from there than outside.

Where the host can give no namespaces (``--shared``) it stays outside, and connects to the host's
127.0.0.1 only while the socket that listens there is the replica's
(``placet_agent.process.owners``).

Run as ``python -m placet_agent.link``; ``start`` does so. It ends with the replica.
"""

import argparse
import asyncio
import resource
import socket
import sys
from pathlib import Path

from placet_agent import beside
from placet_agent.process import launching
from placet_agent.process.namespaces import NetworkNamespace, NotEntered, demand_user, drop
from placet_agent.process.owners import PortOwner
from placet_agent.process.procs import ProcessRef
from placet_agent.pump import Pump, bound, reset
from placet_agent.reports import counting
from placet_agent.reports.counting import Count, CountFile

NAME = "link"  # of its one line in the counts
SECONDS = 5.0  # to connect
CONNECTIONS = 4096  # at once, where so many descriptors are allowed
_SPARE = 32  # descriptors that are not connections


class NotTheReplicas(Exception):
    """What listens on the port is not, or not for sure, the replica's."""


class ReplicaLink:
    """The connections of one replica. Those past ``limit`` wait in the socket's queue."""

    def __init__(
        self, listener: socket.socket, port: int, count: Count, limit: int, owner: PortOwner | None
    ) -> None:
        self.listener = listener
        self.port = port
        self.count = count
        self.limit = limit
        self.owner = owner
        self.loop = asyncio.get_running_loop()
        self.running: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Accept what comes."""
        self.loop.add_reader(self.listener, self._accept)

    def _accept(self) -> None:
        try:
            near, _ = self.listener.accept()
        except OSError:
            return
        near.setblocking(False)
        task = self.loop.create_task(self._serve(near))
        self.running.add(task)
        task.add_done_callback(self._ended)
        if len(self.running) >= self.limit:
            self.loop.remove_reader(self.listener)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        if len(self.running) == self.limit - 1 and self.listener.fileno() >= 0:
            self.open()

    async def _serve(self, near: socket.socket) -> None:
        far = None
        try:
            far = await self._reach()
        except NotTheReplicas:
            self.count.refuse(f"the replica's own socket does not listen on {self.port}")
        except OSError as error:
            self.count.fail(f"127.0.0.1:{self.port}: {error or 'no answer in time'}")
        finally:
            if far is None:
                reset(near)
        if far is not None:
            self.count.connections += 1
            await Pump(near, far, self.count.received, self.count.sent).run()

    async def _reach(self) -> socket.socket:
        """Connect to the replica's port. Raises ``NotTheReplicas`` or ``OSError``."""
        before = self._owned()
        far = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            far.setblocking(False)
            bound(far)
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.wait_for(self.loop.sock_connect(far, ("127.0.0.1", self.port)), SECONDS)
            if self._owned() != before:
                raise NotTheReplicas
        except BaseException:
            far.close()
            raise
        return far

    def _owned(self) -> frozenset[int]:
        """Return which sockets of the replica listen, where one must ask; there must be some."""
        if self.owner is None:
            return frozenset()
        if not (inodes := self.owner.sockets_of(self.port)):
            raise NotTheReplicas
        return inodes

    async def close(self) -> None:
        """Give what is under way a moment, then break it off."""
        if self.listener.fileno() >= 0:
            self.loop.remove_reader(self.listener)
            self.listener.close()
        await beside.finish(self.running)


# --- the process -------------------------------------------------------------------------------


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = beside.parser("link")
    parser.add_argument("--listen", type=int, required=True, help="an inherited descriptor")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--shared", type=int, metavar="UID", help="the host's port of this user")
    return parser.parse_args(words)


def main(words: list[str]) -> None:
    """Link until the replica ends."""
    options = _arguments(words)
    ref = ProcessRef(options.pid, options.start)
    try:
        demand_user(options.uid)
        listener = socket.socket(fileno=options.listen)
        listener.setblocking(False)
        replica = beside.watch(ref)
        counts = CountFile(options.counts, [NAME])
        beside.restrain(2 * CONNECTIONS + _SPARE)
        if options.shared is None:
            network = NetworkNamespace(ref)
            network.enter()
            network.close()
        beside.preload()  # not earlier: a thread that is just ending would keep us out
        drop(options.uid)
    except (NotEntered, OSError) as error:
        beside.say(options.ready, str(error))
        sys.exit(str(error))
    owner = None if options.shared is None else PortOwner(ref, options.shared)
    asyncio.run(_run(replica, listener, counts, owner, options))
    counts.write()


async def _run(
    replica: int,
    listener: socket.socket,
    counts: CountFile,
    owner: PortOwner | None,
    options: argparse.Namespace,
) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    link = ReplicaLink(listener, options.port, counts.of[NAME], (most - _SPARE) // 2, owner)
    link.open()
    beside.say(options.ready, launching.READY)
    await beside.until_end(replica, counts)
    await link.close()


def start(
    replica: ProcessRef,
    listener: int,
    port: int,
    *,
    counts: Path,
    log: Path,
    uid: int | None,
    marker: tuple[str, str],
    shared: int | None = None,
) -> ProcessRef:
    """Start the link from a replica's socket to its port; return it once it accepts.

    With ``shared``, the replica's user id, to the host's own 127.0.0.1. Raises ``NotStarted``.
    """
    counting.prepare(counts, uid)
    words = beside.words(replica, counts, uid)
    words += ["--listen", str(listener), "--port", str(port)]
    words += ["--shared", str(shared)] if shared is not None else []
    return launching.start("placet_agent.link", words, log=log, marker=marker, handles=[listener])


if __name__ == "__main__":
    main(sys.argv[1:])
