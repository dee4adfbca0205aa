"""Sending a batch and finding out whether it arrived. Never inside a transaction."""

import time
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from apps.integrations import formats
from apps.integrations.credentials import authorization, trust_of
from apps.integrations.formats import Batch, Payload
from apps.integrations.models import Stream, StreamKind
from apps.integrations.rules import DeliveryVerdict, host_and_port, is_plain, verdict
from apps.integrations.tls import Connection
from placet.kernel.config import config
from placet.kernel.connecting import Deadline, Wire, connect
from placet.kernel.outbound import OutboundFailed, OutboundResponse, in_words, post, trusting

TIMEOUT = 10.0  # seconds that a receiver may be silent
MOST_ANSWER = 1024 * 1024
SHOWN = 200  # characters of an answer


class Patience(NamedTuple):
    """For how many seconds a receiver may be silent, and how many all of it may take."""

    silent: float
    whole: float


TEST = Patience(4.0, 5.0)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a batch; ``status`` is HTTP's, 0 without an answer."""

    verdict: DeliveryVerdict
    detail: str
    bytes: int
    seconds: float
    status: int = 0
    retry_after: str = ""


def send(stream: Stream, batch: Batch) -> Sent:
    """Send ``batch`` where ``stream`` goes; whatever goes wrong is an answer in words."""
    payload, began = _payload(stream, batch), time.monotonic()
    patience = TEST if batch.test else Patience(TIMEOUT, TIMEOUT + 2)
    try:
        if stream.kind == StreamKind.SYSLOG:
            _over_syslog(stream, payload, patience)
            return Sent("accepted", "", len(payload.body), time.monotonic() - began)
        answer, secret = _over_http(stream, payload, patience)
    except OutboundFailed as failure:
        return Sent("retry", str(failure), len(payload.body), time.monotonic() - began)
    outcome = verdict(answer.status, len(batch.leaves))
    words = "" if outcome == "accepted" else _words(answer, secret)
    retry_after = answer.headers.get("retry-after", "")
    seconds = time.monotonic() - began
    return Sent(outcome, words, len(payload.body), seconds, answer.status, retry_after)


def _payload(stream: Stream, batch: Batch) -> Payload:
    if stream.kind == StreamKind.SYSLOG:
        return formats.syslog(batch, urlsplit(config().public_url).hostname or "-")
    if stream.kind == StreamKind.CLOUDEVENTS:
        return formats.cloudevents(batch)
    return formats.jsonl(batch)


def _over_http(
    stream: Stream, payload: Payload, patience: Patience
) -> tuple[OutboundResponse, str]:
    headers = {
        "Content-Type": payload.media,
        "User-Agent": "placet",
        "Placet-Stream": stream.pk,
    }
    if secret := authorization(stream):
        headers["Authorization"] = secret
    answer = post(
        stream.url,
        body=payload.body,
        headers=headers,
        timeout=patience.silent,
        whole=patience.whole,
        limit=MOST_ANSWER,
        trust=trust_of(stream),
        loopback=is_plain(stream.url),
    )
    return answer, secret.rpartition(" ")[2]


def _words(answer: OutboundResponse, secret: str) -> str:
    """Return a refusal as people read it; an answer that repeats the token does not show it."""
    if 300 <= answer.status < 400:
        return status_words(answer.status)
    text = answer.body.decode("utf-8", "replace")
    if secret:
        text = text.replace(secret, "…")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    more = "…" if len(line) > SHOWN else ""
    return status_words(answer.status) + (f": {line[:SHOWN]}{more}" if line else "")


def status_words(status: int) -> str:
    """Return a status that is no success, as people read it."""
    redirect = ", a redirect, which is not followed" if 300 <= status < 400 else ""
    return f"It answers {status}{redirect}"


def _over_syslog(stream: Stream, payload: Payload, patience: Patience) -> None:
    """Send the frames over a connection of their own, and wait until the receiver ends it too.

    Syslog has no answers; the end of the connection tells that everything was read.
    """
    host, port = host_and_port(stream.url)
    plain = is_plain(stream.url)
    context = None if plain else trust_of(stream) or trusting()
    deadline = Deadline.after(patience.whole, silent=patience.silent)
    try:
        wire = connect(host, port, deadline, loopback=plain)
    except UnicodeError:  # a name that no host can have
        raise OutboundFailed("No host has such a name") from None
    except OSError as error:
        raise OutboundFailed(f"No connection to its end ({in_words(error)})") from None
    try:
        with closing(wire):
            if context is None:
                wire.send(payload.body)
                wire.end_sending()
                _read_to_end(wire)
            else:
                connection = Connection(wire, context, host)
                connection.send(payload.body)
                connection.end()
    except TimeoutError:
        late = "in time" if deadline.over else f"within {patience.silent:g} s"
        raise OutboundFailed(f"It did not take everything and end the connection {late}") from None
    except OSError as error:  # of TLS too
        raise OutboundFailed(f"No connection to its end ({in_words(error)})") from None


def _read_to_end(wire: Wire) -> None:
    """Read until the receiver ends the connection."""
    while wire.recv(4096):
        pass
