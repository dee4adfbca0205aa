"""TLS over a connection, with no more work at a time than one reading of its socket brings.

``ssl.SSLSocket`` reads the socket itself, as long as something comes that is not the client's: who
sends updates of keys without end keeps it there, and with it the whole process. And what breaks off
under it stays in OpenSSL's list of errors of that thread, where the next connection that merely has
to wait finds it and is given up. Here OpenSSL sees buffers alone (``ssl.MemoryBIO``): the socket is
read and written beside it, and its errors are those of its own connection.
"""

import contextlib
import socket
import ssl
import time
from typing import Any

PIECE = 1 << 14  # bytes, of the socket and of a record
BARREN = 1 << 16  # bytes that may come in a row, handshake included, without one for us


class Wire:
    """What the web process uses of a socket, over TLS as a server.

    Where it may not block, ``recv`` and ``send`` raise ``ssl.SSLWantReadError`` and
    ``ssl.SSLWantWriteError`` as an ``SSLSocket`` does; the same call is made again then.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._sock, self._came, self._goes = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = context.wrap_bio(self._came, self._goes, server_side=True)
        self._unsent, self._taken, self._barren = bytearray(), 0, 0

    def __getattr__(self, name: str) -> Any:
        """Be the socket in all that knows nothing of TLS, such as its timeout."""
        return getattr(self._sock, name)

    @property
    def shakes_hands(self) -> bool:
        """Whether its handshake is under way, each step of which may cost much."""
        return self._tls is not None and self._tls.version() is None

    def pending(self) -> int:
        """Return how many bytes have been read from the socket that nobody has taken."""
        return self._came.pending + (self._tls.pending() if self._tls else 0)

    def recv(self, size: int) -> bytes:
        """Return what came, nothing at the end. The handshake is brought forward with it.

        The socket's timeout is that of all of it, however many pieces it comes in. Raises
        ``OSError`` when more than ``BARREN`` bytes brought nothing.
        """
        if self._tls is None:
            return self._sock.recv(size)
        seconds = self._sock.gettimeout()
        try:
            return self._recv(size, time.monotonic() + seconds if seconds else None)
        finally:
            self._sock.settimeout(seconds)

    def _recv(self, size: int, until: float | None) -> bytes:
        came = self._read(size)
        while came is None:
            if until is not None:
                self._sock.settimeout(max(0.001, until - time.monotonic()))
            more = self._more()
            if not more:
                return b""
            self._came.write(more)
            self._barren += len(more)
            came = self._read(size)
            if came is None and self._barren > BARREN:
                raise ConnectionAbortedError("TLS that brings nothing")
            if came is None and until is not None and time.monotonic() >= until:
                raise TimeoutError
            if came is None and self._sock.gettimeout() == 0:
                raise ssl.SSLWantReadError
        self._barren = 0
        return came

    def send(self, data: Any) -> int:
        """Send some of it, and return how much once all of that is with the kernel."""
        if self._tls is None:
            return self._sock.send(data)
        if not self._taken:
            self._taken = self._tls.write(data[:PIECE])
        self._push()
        taken, self._taken = self._taken, 0
        return taken

    def sendall(self, data: Any) -> None:
        """Send all of it."""
        with memoryview(data) as rest:
            sent = 0
            while sent < len(rest):
                sent += self.send(rest[sent:])

    def shutdown(self, how: int) -> None:
        """End our side, or all of it. That an answer was whole is said where only our side ends."""
        if self._tls is not None and how == socket.SHUT_WR and not self._taken:
            with contextlib.suppress(OSError):
                self._farewell()
        self._tls = None
        self._sock.shutdown(how)

    def _read(self, size: int) -> bytes | None:
        """Return what OpenSSL has for us, ``None`` where it needs more of the socket."""
        assert self._tls is not None
        came: bytes | None = None
        try:
            came = self._tls.read(size)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            came = b""
        except ssl.SSLError:
            with contextlib.suppress(OSError):  # what is wrong, for the client
                self._push()
            raise
        try:
            self._push()
        except ssl.SSLWantWriteError:
            if came is None:
                raise
        return came

    def _more(self) -> bytes:
        try:
            return self._sock.recv(PIECE)
        except BlockingIOError:
            raise ssl.SSLWantReadError from None

    def _push(self) -> None:
        """Give the kernel what OpenSSL has for the client."""
        self._unsent += self._goes.read()
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            if len(self._unsent) > BARREN:
                raise ConnectionAbortedError("it takes nothing of what TLS has for it") from None
            raise ssl.SSLWantWriteError from None

    def _farewell(self) -> None:
        """Tell the client that this was all (``close_notify``)."""
        assert self._tls is not None
        with contextlib.suppress(ssl.SSLError):  # that it answers is not waited for
            self._tls.unwrap()
        self._push()
