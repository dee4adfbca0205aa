"""What the identity provider answers, within bounds before django-allauth reads it."""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from requests import ConnectionError as NoAnswer
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from placet.kernel.api.parsers import strict_loads
from placet.kernel.problems import InvalidInput

MAX_BYTES = 1 << 20
MAX_AROUND = 1 << 16  # of its head, of what is said before that, and of what holds its chunks
SECONDS = 15.0  # from a question to the end of its answer
MAX_REDIRECTS = 3  # each is a question of its own
PIECE = 1 << 16


class BadAnswer(OAuth2Error):  # type: ignore[misc]
    """What the provider answered cannot be used; the text says why, and holds nothing of it."""


class _Wire(io.RawIOBase):
    """What a connection brings of one answer, in whatever pieces, from its first byte on. The
    bounds of ``http.client`` are for a line each, and its time-out for what comes at once."""

    def __init__(self, wire: socket.socket, stream: io.RawIOBase) -> None:
        self.wire, self.stream, self.silent = wire, stream, wire.gettimeout() or SECONDS
        self.left, self.end = MAX_BYTES + MAX_AROUND, time.monotonic() + SECONDS

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what comes next. Raises ``OSError`` for more, or later, than an answer may be."""
        seconds = self.end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("The answer did not come to its end in time")
        self.wire.settimeout(min(seconds, self.silent))
        count: int | None = self.stream.readinto(buffer)
        self.left -= count or 0
        if self.left < 0:
            raise OSError(f"The answer has more than {MAX_BYTES + MAX_AROUND} bytes")
        return count

    def close(self) -> None:
        """Let go of the connection."""
        self.stream.close()
        super().close()


class _Answer(HTTPResponse):
    """An answer whose head is read within the bounds too."""

    def __init__(self, sock: socket.socket, *how: Any, **more: Any) -> None:
        super().__init__(sock, *how, **more)
        self.fp = io.BufferedReader(_Wire(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Answer


class _SecureConnection(HTTPSConnection):
    response_class = _Answer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}


class Bounded(HTTPAdapter):
    """Takes what is one JSON object and not too long; raises ``NoAnswer`` otherwise."""

    def init_poolmanager(self, *how: Any, **more: Any) -> None:
        """Have connections on which all of an answer is bounded."""
        super().init_poolmanager(*how, **more)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **how: Any) -> Any:
        """Have them by way of a proxy too."""
        manager = super().proxy_manager_for(proxy, **how)
        if not proxy.lower().startswith("socks"):  # that has connections of its own
            manager.pool_classes_by_scheme = POOLS
        return manager

    def send(self, request: PreparedRequest, **how: Any) -> Response:  # type: ignore[override]
        """Send it, and read the answer to its end."""
        answer = super().send(request, **how | {"stream": True})
        answer._content = received(answer)
        answer._content_consumed = True
        if answer.ok and not answer.is_redirect:
            check(answer.content)
            answer.headers["Content-Type"] = "application/json"  # allauth trips where there is none
        return answer


def received(answer: Response) -> bytes:
    """Read an answer to its end. One that is packed may be far more than came."""
    body = bytearray()
    for piece in answer.iter_content(PIECE):
        body += piece
        if len(body) > MAX_BYTES:
            answer.close()
            raise NoAnswer(f"The provider's answer has more than {MAX_BYTES} bytes")
    return bytes(body)


def check(raw: bytes) -> None:
    """Raise ``NoAnswer`` unless this is one object."""
    try:
        document = strict_loads(raw)
    except InvalidInput as fault:
        raise NoAnswer(f"The provider's answer is not understood: {fault}") from None
    if not isinstance(document, dict):
        raise NoAnswer("The provider's answer is no JSON object")


def bounded(session: Session) -> Session:
    """Return a session all of whose answers are bounded; it follows few redirects."""
    session.max_redirects = MAX_REDIRECTS
    for scheme in ("https://", "http://"):
        session.mount(scheme, Bounded())
    return session
