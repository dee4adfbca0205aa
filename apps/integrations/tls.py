"""Sending bytes over TLS so that one knows whether the other side has read all of them."""

import ssl
from collections.abc import Callable
from contextlib import suppress

from placet.kernel.connecting import Wire

PIECE = 65536


class Connection:
    """TLS over a connection, with the records in our own hands.

    ``SSLSocket.unwrap`` takes a fatal alert for the orderly end: a receiver that refuses our
    certificate (in TLS 1.3 after the handshake) would pass for one that has read everything.
    """

    def __init__(self, wire: Wire, context: ssl.SSLContext, host: str) -> None:
        self._wire = wire
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)

    def send(self, data: bytes) -> None:
        """Shake hands and send ``data``. Raises ``OSError``, of which ``ssl.SSLError`` is one."""
        self._drive(self._tls.do_handshake)
        self._drive(lambda: self._tls.write(data))

    def end(self) -> None:
        """Say ``close_notify`` and wait for the other side's, which it may say only after it read
        what stands before ours (RFC 5425, section 4.4), and for the end of the connection: a host
        whose program left something unread resets it.

        Raises ``TimeoutError`` when that does not come in time, and ``OSError`` when it ends in any
        other way.
        """
        with suppress(ssl.SSLWantReadError):
            while self._tls.read(PIECE):  # what came already: an alert is raised here
                pass
            raise ConnectionError("the receiver ended it first")
        with suppress(ssl.SSLWantReadError):
            self._tls.unwrap()  # nothing has come: it only writes our own
        self._flush()
        while not self._other_side_ended():
            self._fill()
        self._wire.end_sending()
        while self._wire.recv(PIECE):
            pass

    def _other_side_ended(self) -> bool:
        try:
            return not self._tls.read(PIECE)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True

    def _drive(self, step: Callable[[], object]) -> None:
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            else:
                self._flush()
                return

    def _flush(self) -> None:
        if self._out.pending:
            self._wire.send(self._out.read())

    def _fill(self) -> None:
        if piece := self._wire.recv(PIECE):
            self._in.write(piece)
        else:
            self._in.write_eof()
