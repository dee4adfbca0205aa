"""Secrets of streams: files, read when something is sent and kept nowhere.

A project's stream has those of the project's own folder alone: who manages streams of a project
chooses both the address and the name of what is sent there.
"""

import os
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
        raw = _path(stream, stream.token_file).read_bytes()
    except OSError as error:
        why = f"{stream.token_file} cannot be read: {error.strerror}"
        raise OutboundFailed(f"{why}. {_place(stream)}") from None
    text = raw[: MOST + 1].decode("latin-1").strip()
    if not text or len(text) > MOST or not (text.isascii() and text.isprintable()):
        raise OutboundFailed(f"{stream.token_file} does not hold one line with a token")
    return text if " " in text else f"Bearer {text}"


def trust_of(stream: Stream) -> ssl.SSLContext | None:
    """Return the TLS settings of a stream; ``None`` for the usual ones."""
    if not (stream.ca_file or stream.cert_file):
        return None
    ca = _path(stream, stream.ca_file) if stream.ca_file else None
    certificate = _path(stream, stream.cert_file) if stream.cert_file else None
    try:
        return trusting(ca, certificate)
    except OutboundFailed as failure:
        raise OutboundFailed(f"{failure}. {_place(stream)}") from None


def _path(stream: Stream, name: str) -> Path:
    """Return where a file of ``stream`` lies: never outside its folder, whatever links there are.

    The folder of a project is not resolved: one that is a link itself leads out.
    """
    if not FILE_NAME.fullmatch(name):  # a row that was written past the action
        raise OutboundFailed("The name of the secret is no bare file name")
    root = config().streams.resolve()
    folder = root / stream.project.slug if stream.project else root
    path = folder / name
    real = Path(os.path.realpath(path))  # Python 3.11's resolve() raises where links go in circles
    if not real.is_relative_to(folder):
        raise OutboundFailed(f"{name} leads out of its folder. {_place(stream)}")
    return path


def _place(stream: Stream) -> str:
    """Say where the files of ``stream`` belong, and nothing of anybody else's."""
    inside = f"the folder {stream.project.slug} in " if stream.project else ""
    return f"Its files belong into {inside}PLACET_STREAMS_DIR"
