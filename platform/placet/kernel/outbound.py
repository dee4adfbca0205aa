"""Outbound HTTP: short, bounded, never redirected, never by way of a proxy from the environment."""

import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import httpcore
import httpx

from placet.kernel.config import config
from placet.kernel.connecting import Deadline, Wire, connect

MAX_ANSWER = 4 * 1024 * 1024
PLAIN = {"Accept-Encoding": "identity"}
LATE = "The answer did not come to its end in time"
FAULTS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    UnicodeError,
)


class OutboundFault(StrEnum):
    """Why the other side did not answer, or not as it should."""

    NO_CONNECTION = "no_connection"
    NO_HOST = "no_host"
    SILENT = "silent"
    LATE = "late"
    NO_TRUST = "no_trust"
    OTHER = "other"


class OutboundFailed(Exception):
    """The other side did not answer, or not as it should; the text says why in words.

    ``fault`` says it to who has words of their own, one of :class:`OutboundFault` or of the
    caller's, and ``detail`` what is known beside that, from the system or a library.
    """

    def __init__(
        self, text: str, fault: str = OutboundFault.OTHER, detail: str | None = None
    ) -> None:
        super().__init__(text)
        self.fault, self.detail = str(fault), text if detail is None else detail


@dataclass(frozen=True, slots=True)
class OutboundResponse:
    """What the other side said."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


def trusting(ca: Path | None = None, certificate: Path | None = None) -> ssl.SSLContext:
    """Return TLS settings that believe who ``ca`` (PEM) vouches for, else whom we usually believe.

    ``certificate`` (PEM, with its key) is shown to the other side. Raises
    :class:`OutboundFailed` for a file that is missing or none of these.
    """
    file = ca or config().ca_file
    try:
        context = (
            ssl.create_default_context(cafile=file)
            if file
            else httpx.create_ssl_context(trust_env=False)
        )
        if certificate:  # a locked key is refused: OpenSSL would ask for its password
            context.load_cert_chain(certificate, password=lambda: b"")
    except (OSError, ValueError) as error:  # OpenSSL's among them
        names = " or ".join(path.name for path in (ca, certificate) if path) or "PLACET_CA_FILE"
        words = in_words(error)
        text = f"{names} cannot be used ({words})"
        raise OutboundFailed(text, OutboundFault.NO_TRUST, words) from None
    return context


@lru_cache
def _usual() -> ssl.SSLContext:
    """Return whom we usually believe, read once."""
    return trusting()


def post(
    url: str,
    *,
    body: bytes,
    headers: dict[str, str],
    timeout: float = 10.0,
    whole: float | None = None,
    limit: int = MAX_ANSWER,
    cut: bool = False,
    trust: ssl.SSLContext | None = None,
    loopback: bool = False,
    public: bool = False,
) -> OutboundResponse:
    """POST ``body`` and return the answer, whatever its status.

    ``timeout`` is for how many seconds the other side may be silent, ``whole`` for how many all of
    it may take (three times as long): finding the name, connecting to one of its addresses (see
    :func:`placet.kernel.connecting.connect`, ``loopback`` and ``public`` too), and the answer, in
    however small pieces it comes.

    Call it outside any transaction. Raises :class:`OutboundFailed` on a timeout, a refused
    connection or an answer of more than ``limit`` bytes, of which ``cut`` reads no more and leaves
    out what is packed. A redirect is an answer like any other: it is not followed.
    """
    deadline = Deadline.after(3 * timeout if whole is None else whole, silent=timeout)
    transport = _Transport(_Backend(deadline, loopback, public), trust or _usual())
    return _called("POST", url, body, headers, deadline, transport, limit, cut)


def get(
    url: str, *, headers: dict[str, str], timeout: float = 10.0, limit: int = MAX_ANSWER
) -> OutboundResponse:
    """GET ``url`` and return the answer, within the same bounds as :func:`post`."""
    deadline = Deadline.after(3 * timeout, silent=timeout)
    transport = _Transport(_Backend(deadline), _usual())
    return _called("GET", url, b"", headers, deadline, transport, limit)


def _called(
    method: str,
    url: str,
    body: bytes,
    headers: dict[str, str],
    deadline: Deadline,
    transport: "_Transport",
    limit: int,
    cut: bool = False,
) -> OutboundResponse:
    try:
        with (
            httpx.Client(transport=transport, timeout=deadline.silent, trust_env=False) as client,
            client.stream(method, url, content=body, headers=headers | PLAIN) as response,
        ):
            received = _beginning(response, limit) if cut else _received(response, limit)
        return OutboundResponse(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=received,
            seconds=response.elapsed.total_seconds(),
        )
    except FAULTS as error:
        raise _failure(error, deadline) from None


def _failure(error: Exception, deadline: Deadline) -> OutboundFailed:
    """Say why there was no answer."""
    match error:
        case httpcore.ConnectError() | httpcore.ConnectTimeout():
            words = in_words(error)
            text = f"The call failed: no connection ({words})"
            return OutboundFailed(text, OutboundFault.NO_CONNECTION, words)
        case httpx.InvalidURL() | UnicodeError():
            text = "The call failed: no host has such a name"
            return OutboundFailed(text, OutboundFault.NO_HOST, "")
        case httpcore.TimeoutException():
            if deadline.over:
                return OutboundFailed(LATE, OutboundFault.LATE, "")
            text = f"There was no answer within {deadline.silent:g} s"
            return OutboundFailed(text, OutboundFault.SILENT)
        case httpcore.NetworkError():  # of ours, which hold nothing that the other side sent
            words = in_words(error)
            return OutboundFailed(f"The call failed: the connection broke ({words})", detail=words)
    name = type(error).__name__
    return OutboundFailed(f"The call failed: {name}", detail=name)


class _Transport(httpx.BaseTransport):
    """One call of httpx by httpcore, over connections of ours."""

    def __init__(self, backend: httpcore.NetworkBackend, trust: ssl.SSLContext) -> None:
        self.pool = httpcore.ConnectionPool(ssl_context=trust, network_backend=backend)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it. Raises errors of httpcore."""
        url = request.url
        answer = self.pool.handle_request(
            httpcore.Request(
                request.method,
                httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        """End its connection."""
        self.pool.close()


class _Body(httpx.SyncByteStream):
    """The body of an answer of httpcore."""

    def __init__(self, answer: httpcore.Response) -> None:
        self.answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self.answer.iter_stream()

    def close(self) -> None:
        self.answer.close()


class _Backend(httpcore.NetworkBackend):
    """Connections that keep to our deadline. Time-outs of httpcore's are for one step each, of
    which there may be any number: they are not used."""

    def __init__(self, deadline: Deadline, loopback: bool = False, public: bool = False) -> None:
        self.deadline, self.loopback, self.public = deadline, loopback, public

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to an address of ``host``."""
        with _told(httpcore.ConnectTimeout, httpcore.ConnectError):
            own, public = self.loopback, self.public
            return _Stream(connect(host, port, self.deadline, loopback=own, public=public))


class _Stream(httpcore.NetworkStream):
    """A connection as httpcore has it."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what comes next."""
        with _told(httpcore.ReadTimeout, httpcore.ReadError):
            return self.wire.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        with _told(httpcore.WriteTimeout, httpcore.WriteError):
            self.wire.send(buffer)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Go on under TLS, with a certificate for the name: its address is not asked."""
        with _told(httpcore.ConnectTimeout, httpcore.ConnectError):
            return _Stream(self.wire.secure(ssl_context, server_hostname or ""))

    def close(self) -> None:
        """End it."""
        self.wire.close()


@contextmanager
def _told(late: type[Exception], failed: type[Exception]) -> Iterator[None]:
    """Tell httpcore of what went wrong in its own words."""
    try:
        yield
    except TimeoutError as error:
        raise late(error) from error
    except OSError as error:  # of TLS too
        raise failed(error) from error


def _received(response: httpx.Response, limit: int) -> bytes:
    """Read an answer that may come in as many small pieces as the other side likes. One that is
    packed is refused: a few hundred bytes of it may be gigabytes."""
    if _is_packed(response):
        raise OutboundFailed("The answer is packed, which was not asked for")
    received = _beginning(response, limit + 1)
    if len(received) > limit:
        raise OutboundFailed(f"The answer has more than {limit} bytes")
    return received


def _beginning(response: httpx.Response, limit: int) -> bytes:
    """Read the first ``limit`` bytes of an answer; none of one that is packed."""
    received = bytearray()
    for piece in () if _is_packed(response) else response.iter_raw():
        received += piece
        if len(received) >= limit:
            break
    return bytes(received[:limit])


def _is_packed(response: httpx.Response) -> bool:
    encoding: str = response.headers.get("Content-Encoding", "identity")
    return encoding.strip().lower() != "identity"


def in_words(error: Exception) -> str:
    """Return why there was no connection, as the system or OpenSSL says, without its numbers."""
    sentence = re.sub(r"^\[[^\]]*\] ?|\(_ssl\.c:\d+\)$", "", str(error)).strip()
    return sentence[:200] or type(error).__name__
