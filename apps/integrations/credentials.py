"""Secrets of streams: files in one folder, read when something is sent and kept nowhere."""

import ssl
from pathlib import Path

from apps.integrations.models import Stream
from apps.integrations.rules import FILE_NAME
from placet.kernel.config import config
from placet.kernel.outbound import OutboundFailed, trusting

MOST = 16 * 1024  # bytes of a token


def authorization(stream: Stream) -> str:
    """Return what is sent as ``Authorization``, '' where the stream has no token.

    One word is a bearer token; ``Splunk TOKEN`` and the like are sent as they are. Raises
    :class:`OutboundFailed` when the file is missing or no header can hold it.
    """
    if not stream.token_file:
        return ""
    try:
        raw = _path(stream.token_file).read_bytes()
    except OSError as error:
        raise OutboundFailed(f"{stream.token_file} cannot be read: {error.strerror}") from None
    text = raw[: MOST + 1].decode("latin-1").strip()
    if not text or len(text) > MOST or not (text.isascii() and text.isprintable()):
        raise OutboundFailed(f"{stream.token_file} does not hold one line with a token")
    return text if " " in text else f"Bearer {text}"


def trust_of(stream: Stream) -> ssl.SSLContext | None:
    """Return the TLS settings of a stream; ``None`` for the usual ones."""
    if not (stream.ca_file or stream.cert_file):
        return None
    ca = _path(stream.ca_file) if stream.ca_file else None
    return trusting(ca, _path(stream.cert_file) if stream.cert_file else None)


def _path(name: str) -> Path:
    if not FILE_NAME.fullmatch(name):  # a row that was written past the action
        raise OutboundFailed("The name of the secret is no bare file name")
    return config().streams / name
