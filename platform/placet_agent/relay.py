"""Lets a replica reach the destinations that people approved, and nothing else.

A replica has no network but its own loopback. For each approved ``host:port`` the relay listens
there, by sockets that a short-lived child made inside; the relay itself stays in the host's
network, without privileges, and nothing of ours runs in the replica's. For each connection it
resolves the name anew, refuses what ``placet_agent.reach`` refuses, and connects to the very
address that was judged, so that a name cannot lead elsewhere between the two.

Run as ``python -m placet_agent.relay``; ``start`` does so. It ends with the replica.
"""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from placet_agent import beside, reach
from placet_agent.loopback import listen_inside
from placet_agent.pace import Pace
from placet_agent.process import launching
from placet_agent.process.namespaces import NetworkNamespace, NotEntered, demand_user, drop
from placet_agent.process.procs import ProcessRef
from placet_agent.pump import Pump, bound, reset
from placet_agent.reports import counting
from placet_agent.reports.counting import Count, CountFile
from placet_verify.permit.serving import Destination

CONNECTIONS = 256  # at once; further ones are refused
# Begun, in a second and at once after a pause. The host keeps the port of each that the replica
# ended for 60 s, of 28,232 that it has to one destination: at most 2,100 of them are one replica's.
RATE, BURST = 30, 300
SECONDS = 10.0  # to connect, all addresses of a name together
RESOLVE_SECONDS = 5.0
_RESOLVERS = 16
_HANDLES = 1024
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 6))

Resolve = Callable[[str, int], Iterable[str]]


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses that a name has now. Raises ``OSError``."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in entries))


class Relay:
    """The connections of one replica."""

    def __init__(
        self,
        approved: Collection[Destination],
        counts: dict[str, Count],
        resolver: Resolve = resolve,
        seconds: float = SECONDS,
    ) -> None:
        self.approved = frozenset(approved)
        self.counts = counts
        self.resolver = resolver
        self.seconds = seconds
        self.pool = ThreadPoolExecutor(_RESOLVERS, "resolve")
        self.running: set[asyncio.Task[None]] = set()
        self.pace = Pace(RATE, BURST)

    def listen(self, destination: Destination, listener: socket.socket) -> None:
        """Accept what comes for a destination."""
        loop = asyncio.get_running_loop()
        loop.add_reader(listener, self._accept, destination, listener)

    def _accept(self, destination: Destination, listener: socket.socket) -> None:
        try:
            near, _ = listener.accept()
        except OSError:
            return None
        count = self.counts[str(destination)]
        if len(self.running) >= CONNECTIONS:
            count.refuse(f"{CONNECTIONS} connections are open")
            return reset(near)
        if not self.pace.take():
            count.refuse(f"{RATE} connections a second are begun already: keep them open")
            return reset(near)
        near.setblocking(False)
        bound(near)
        task = asyncio.get_running_loop().create_task(self._serve(destination, near, count))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return None

    async def _serve(self, destination: Destination, near: socket.socket, count: Count) -> None:
        far = None
        try:
            far = await self._reach(destination, count)
        except (OSError, UnicodeError) as error:  # a timeout is an OSError
            count.fail(f"{destination}: {error or 'no answer in time'}")
        finally:
            if far is None:
                reset(near)
        if far is not None:
            count.connections += 1
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await Pump(near, far, count.sent, count.received).run()

    async def _reach(self, destination: Destination, count: Count) -> socket.socket | None:
        """Connect to the first address that may be reached and answers; ``None``: refused.

        Raises ``OSError`` when the name does not resolve, or none of those allowed answers.
        """
        allowed = await self._allowed(destination, count)
        end = asyncio.get_running_loop().time() + self.seconds
        fault: OSError | None = None
        for index, address in enumerate(allowed):
            left = end - asyncio.get_running_loop().time()
            try:
                return await _connect(address, destination.port, left / (len(allowed) - index))
            except TimeoutError:
                fault = TimeoutError(f"{address} did not answer")
            except OSError as error:
                fault = error
        if fault is not None:
            raise fault
        return None

    async def _allowed(self, destination: Destination, count: Count) -> list[reach.Address]:
        """Return the addresses of now that may be reached; count a refusal if there is none."""
        if destination.address is not None:
            return [destination.address]
        loop = asyncio.get_running_loop()
        answer = loop.run_in_executor(self.pool, self.resolver, destination.host, destination.port)
        allowed, why = [], f"{destination.host} has no address"
        for text in await asyncio.wait_for(answer, RESOLVE_SECONDS):
            try:
                address = reach.read(text)
                fault = reach.refusal(address, destination.port, self.approved)
            except ValueError as error:
                fault = str(error)
            if fault:
                why = f"{destination.host}: {fault}"
            else:
                allowed.append(address)
        if not allowed:
            count.refuse(why)
        return allowed

    async def end(self) -> None:
        """Give what is under way a moment, then break it off."""
        await beside.finish(self.running)


async def _connect(address: reach.Address, port: int, seconds: float) -> socket.socket:
    """Connect to an address, never to a name. Raises ``OSError``."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    far = socket.socket(family, socket.SOCK_STREAM)
    try:
        far.setblocking(False)
        bound(far)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            far.setsockopt(socket.IPPROTO_TCP, option, value)
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(far, (str(address), port)), seconds)
    except BaseException:
        far.close()
        raise
    return far


# --- the process -------------------------------------------------------------------------------


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = beside.parser("relay")
    parser.add_argument("--to", type=Destination.read, nargs="+", required=True)
    return parser.parse_args(words)


def main(words: list[str]) -> None:
    """Relay until the replica ends."""
    options = _arguments(words)
    ref = ProcessRef(options.pid, options.start)
    try:
        demand_user(options.uid)
        replica = beside.watch(ref)
        network = NetworkNamespace(ref)
        listeners = listen_inside(network, options.to)
        network.close()
        counts = CountFile(options.counts, [str(one) for one in options.to])
        beside.restrain(_HANDLES)
        beside.preload()
        drop(options.uid)
    except (NotEntered, OSError) as error:
        beside.say(options.ready, str(error))
        sys.exit(str(error))
    asyncio.run(_run(replica, listeners, counts, options.ready))
    counts.write()
    os._exit(0)  # a thread may still wait for a resolver


async def _run(
    replica: int,
    listeners: list[tuple[Destination, socket.socket]],
    counts: CountFile,
    ready: int | None,
) -> None:
    relay = Relay([one for one, _ in listeners], counts.of)
    for destination, listener in listeners:
        relay.listen(destination, listener)
    beside.say(ready, launching.READY)
    await beside.until_end(replica, counts)
    for _, listener in listeners:
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()
    await relay.end()


def start(
    replica: ProcessRef,
    destinations: Iterable[Destination],
    *,
    counts: Path,
    log: Path,
    uid: int | None,
    marker: tuple[str, str],
) -> ProcessRef:
    """Start the relay of a replica, whose first process this is; return it once it listens.

    ``counts`` stands in a folder of its own, which is given to ``uid``. Raises ``NotStarted``.
    """
    counting.prepare(counts, uid)
    words = beside.words(replica, counts, uid)
    words += ["--to", *(str(one) for one in sorted(set(destinations)))]
    return launching.start("placet_agent.relay", words, log=log, marker=marker)


if __name__ == "__main__":
    main(sys.argv[1:])
