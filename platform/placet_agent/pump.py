"""Carries bytes between two sockets: both directions, half-closed or not, at the slower's pace."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

BUFFER = 64 << 10  # bytes that the kernel is asked to hold of a connection, each way; it doubles it
_CHUNK = 32768
_shared = memoryview(bytearray(_CHUNK))  # one thread reads, and writes at once what it has read
_RESET = struct.pack("ii", 1, 0)


def reset(connection: socket.socket) -> None:
    """Close so that the other side sees an error, never the regular end of what was sent."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()


def bound(connection: socket.socket) -> None:
    """Have the kernel hold little of a connection, however slow its other side is.

    By itself it holds ten megabytes, for which nobody is charged, of memory that all connections
    of the host share.
    """
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        connection.setsockopt(socket.SOL_SOCKET, option, BUFFER)


class Pump:
    """Two connected sockets that do not block. They belong to the pump, which closes them."""

    def __init__(
        self,
        near: socket.socket,
        far: socket.socket,
        sent: Callable[[int], None],
        received: Callable[[int], None],
    ) -> None:
        """Tell ``sent`` of bytes from near to far, ``received`` of those the other way."""
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.ways = (_Way(self, near, far, sent), _Way(self, far, near, received))

    async def run(self) -> None:
        """Return when both directions have ended; break both when one breaks."""
        for way in self.ways:
            way.start()
        try:
            await self.done
        finally:
            self._close()

    def ended(self, *, broken: bool = False) -> None:
        """One direction has ended."""
        if not self.done.done() and (broken or all(way.over for way in self.ways)):
            self.done.set_result(None)

    def _close(self) -> None:
        whole = all(way.over for way in self.ways)
        for way in self.ways:
            way.stop()
        for way in self.ways:
            if whole:
                way.source.close()
            else:
                reset(way.source)


class _Way:
    """One direction."""

    def __init__(
        self, pump: Pump, source: socket.socket, sink: socket.socket, count: Callable[[int], None]
    ) -> None:
        self.pump = pump
        self.source = source
        self.sink = sink
        self.count = count
        self.over = False
        self.waiting = memoryview(b"")  # read, and not yet taken by the sink

    def start(self) -> None:
        self.pump.loop.add_reader(self.source, self._read)

    def stop(self) -> None:
        self.pump.loop.remove_reader(self.source)
        self.pump.loop.remove_writer(self.sink)

    def _read(self) -> None:
        try:
            size = self.source.recv_into(_shared)
            if size == 0:
                self.over = True
                self.pump.loop.remove_reader(self.source)
                self.sink.shutdown(socket.SHUT_WR)
                return self.pump.ended()
            taken = self._send(_shared[:size])
        except BlockingIOError:
            return None
        except OSError:
            return self.pump.ended(broken=True)
        self.count(size)
        if taken < size:
            self.waiting = memoryview(bytes(_shared[taken:size]))
            self.pump.loop.remove_reader(self.source)
            self.pump.loop.add_writer(self.sink, self._write)
        return None

    def _send(self, data: memoryview) -> int:
        try:
            return self.sink.send(data)
        except BlockingIOError:
            return 0

    def _write(self) -> None:
        try:
            self.waiting = self.waiting[self._send(self.waiting) :]
        except OSError:
            return self.pump.ended(broken=True)
        if not self.waiting:
            self.pump.loop.remove_writer(self.sink)
            self.pump.loop.add_reader(self.source, self._read)
        return None
