"""Outbound HTTP: short, bounded, never redirected, never by way of a proxy from the environment."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx

from placet.kernel.config import config

MAX_ANSWER = 4 * 1024 * 1024
LATE = "The answer did not come to its end in time"


class OutboundFailed(Exception):
    """The other side did not answer, or not as it should; the text says why in words."""


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
        raise OutboundFailed(f"{names} cannot be used ({in_words(error)})") from None
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
    trust: ssl.SSLContext | None = None,
) -> OutboundResponse:
    """POST ``body`` and return the answer, whatever its status.

    ``timeout`` is for how many seconds the other side may be silent, ``whole`` for how many all of
    it may take (three times as long), in however small pieces it comes.

    Call it outside any transaction. Raises :class:`OutboundFailed` on a timeout, a refused
    connection or an answer of more than ``limit`` bytes. A redirect is an answer like any other:
    it is not followed.
    """
    seconds = 3 * timeout if whole is None else whole
    end = time.monotonic() + seconds
    try:
        with (
            ended_after(seconds) as wires,
            httpx.Client(timeout=timeout, trust_env=False, verify=trust or _usual()) as client,
            client.stream(
                "POST", url, content=body, headers=headers, extensions={"trace": _into(wires)}
            ) as response,
        ):
            received = _received(response, limit, end)
        return OutboundResponse(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=received,
            seconds=response.elapsed.total_seconds(),
        )
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        late = time.monotonic() >= end
        raise OutboundFailed(LATE if late else _why(error, timeout)) from None


def _why(error: Exception, timeout: float) -> str:
    """Say why there was no answer."""
    match error:
        case httpx.TimeoutException():
            return f"There was no answer within {timeout:g} s"
        case httpx.ConnectError():
            return f"The call failed: no connection ({in_words(error)})"
        case httpx.InvalidURL() | UnicodeError():
            return "The call failed: no host has such a name"
    return f"The call failed: {type(error).__name__}"


def _into(wires: list[socket.socket]) -> Callable[[str, dict[str, Any]], None]:
    """Return what httpx tells of each connection that it makes."""

    def watch(event: str, told: dict[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            wires.append(told["return_value"].get_extra_info("socket"))

    return watch


@contextmanager
def ended_after(seconds: float) -> Iterator[list[socket.socket]]:
    """Yield a list for connections, of which none is open for longer.

    A time-out is for each piece that is received: one byte every few seconds would keep us for
    hours. To who reads, it looks as if the other side had ended the connection.
    """
    wires: list[socket.socket] = []

    def end() -> None:
        for wire in wires:
            with suppress(OSError):  # TLS took its place, or it has ended
                wire.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield wires
    finally:
        timer.cancel()


def _received(response: httpx.Response, limit: int, end: float) -> bytes:
    """Read an answer that may come in as many small pieces as the other side likes."""
    received = bytearray()
    for piece in response.iter_bytes():
        received += piece
        if len(received) > limit:
            raise OutboundFailed(f"The answer has more than {limit} bytes")
        if time.monotonic() > end:
            raise OutboundFailed(LATE)
    return bytes(received)


def in_words(error: Exception) -> str:
    """Return why there was no connection, as the system or OpenSSL says, without its numbers."""
    said = re.sub(r"^\[[^\]]*\] ?|\(_ssl\.c:\d+\)$", "", str(error)).strip()
    return said[:200] or type(error).__name__
