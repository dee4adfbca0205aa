"""How long a thread waits for a client to take its answer.

A client that asks for more than the kernel buffers, and takes nothing, holds the thread that sends:
for ever, as gunicorn sends. Here it has some time, and more for what it has really taken
(``placet.web.slow_clients``).
"""

import errno
import fcntl
import os
import select
import socket
import ssl
import struct
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

from placet.web.slow_clients import LOOK, SlowClients, Waited

PIECE = 1 << 14  # bytes at a time, a record of TLS: it tells of whole ones alone
RESET, ENDED = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)  # how a connection is closed
NO_SENDFILE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class Sending(Waited):
    """What gunicorn uses of a socket to send one answer, while its client takes it.

    Where nothing ``marked`` the end of an answer but that of its connection, half of one would pass
    for a whole one. So the connection is reset unless it was ``whole``, even by a process that is
    killed.
    """

    def __init__(
        self, sock: Any, slow: SlowClients, client: bytes = b"", *, marked: bool = True
    ) -> None:
        super().__init__(sock, slow, client)
        self._marked, self._sent, self.filed = marked, unsent(sock), 0

    def sendall(self, data: Any) -> None:
        """Send all of it."""
        with memoryview(data) as view, view.cast("B") as rest:
            sent = 0
            while sent < len(rest):
                sent += self._some(self._sock.send, rest[sent : sent + PIECE])

    send = sendall  # of a few bytes: 100 Continue

    def sendfile(self, file: Any, offset: int = 0, count: int = 0) -> None:
        """Send a part of a file, without a look at it; count in ``filed`` what there was of it."""
        begin, end = offset, offset + count
        try:
            while offset < end and (
                sent := self._some(
                    os.sendfile, self._sock.fileno(), file.fileno(), offset, end - offset
                )
            ):
                offset += sent
        except OSError as error:
            if error.errno not in NO_SENDFILE:
                raise
            file.seek(offset)  # its file system has no such thing
            while offset < end and (piece := file.read(min(PIECE, end - offset))):
                self.sendall(piece)
                offset += len(piece)
        self.filed = offset - begin

    def whole(self) -> None:
        """Have the connection end or go on as any other does."""
        if not self._marked:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ENDED)

    def missing(self, response: Any) -> int:
        """Return how many bytes an answer has less than its head promised: what comes next on its
        connection would be taken for them."""
        promised = 0 if response._omits_body else response.response_length or 0
        return max(0, promised - int(response.sent) - self.filed)

    def _leave(self, *_: Any) -> bytes:
        """Leave the end, and what still comes, to the main thread, after an answer that broke off:
        wait for nothing."""
        return b""

    shutdown = settimeout = recv = close = _leave

    def _some(self, send: Callable[..., int], *what: Any) -> int:
        """Send what the kernel takes, as soon as it takes some; return how much that was."""
        self._sock.setblocking(False)
        if not self._marked:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        try:
            while True:
                try:
                    sent = send(*what)
                except (BlockingIOError, ssl.SSLWantWriteError):
                    self._wait(select.POLLOUT)
                except ssl.SSLWantReadError:  # TLS has something to say to itself
                    self._wait(select.POLLIN)
                else:
                    self._sent += sent
                    return sent
        finally:
            self._sock.setblocking(True)

    def _wait(self, event: int) -> None:
        """Wait until the kernel takes more; raise if the client has no more time."""
        look = select.poll()
        look.register(self._sock, event)
        self._slow.begin(self)
        try:
            while True:
                begun = time.monotonic()
                ready = look.poll(1000 * max(0.0, min(LOOK, self.left)))
                # the kernel takes more only when a third of its buffer is empty, which a slow line
                # needs minutes for: what counts is what the client has taken
                taken = self._sent - unsent(self._sock) - self._moved
                self.count(time.monotonic() - begun, max(0, taken))
                if self.left <= 0 or self._slow.excess(self):
                    raise self._end()
                if ready:
                    return
        finally:
            self._slow.end(self)

    def _end(self) -> OSError:
        """Throw away what the client has not taken, and say so in words that gunicorn knows."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._sock.shutdown(socket.SHUT_RDWR)
        return BrokenPipeError(errno.EPIPE, "its client takes no answer")


def is_reset(sock: Any) -> bool:
    """Tell whether a connection is to be reset, for an answer that was not whole."""
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(RESET)) == RESET)


def unsent(sock: Any) -> int:
    """Return how many bytes the kernel has of us that the other side has not."""
    try:
        buffer = fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4))
    except (ValueError, OSError):
        return 0
    return int.from_bytes(buffer, sys.byteorder)
