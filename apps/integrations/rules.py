"""Where a stream may go, what an answer means, when to try again. Standard library only."""

import ipaddress
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import urlsplit

from apps.integrations.chats import STANDARD, chat_fault, service_fault

KINDS = ("jsonl", "cloudevents", "syslog")
SECURE = {"jsonl": "https", "cloudevents": "https", "syslog": "tls"}
PLAIN = {"jsonl": "http", "cloudevents": "http", "syslog": "tcp"}
SYSLOG_PORT = 6514  # RFC 5425, section 4.1
MAX_URL = 500
FAILING_AFTER = 3  # failed attempts in a row are worth an event; one or two a restart may take
MAX_DELAY = 300.0
MIN_ALERT, MAX_ALERT = 60, 7 * 86400

# One pattern for the whole address, so that no two parsers can read two hosts in it.
ADDRESS = re.compile(
    r"(?P<scheme>[a-z]+)://"
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,9}))?"
    r"(?P<path>/[A-Za-z0-9/._~%!$&'()*+,;=:-]*)?"
)
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

DeliveryVerdict = Literal["accepted", "retry", "smaller", "refused"]


@dataclass(frozen=True, slots=True)
class StreamTerms:
    """What a stream is asked to be: where it goes and by which files it is let in there."""

    kind: str
    url: str
    token_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    alert_after_seconds: int = 900


@dataclass(frozen=True, slots=True)
class FieldFault:
    """A field that is wrong, and what to do."""

    field: str
    detail: str


def faults(terms: StreamTerms) -> list[FieldFault]:
    """Return what is wrong with ``terms``, field by field."""
    if terms.kind not in KINDS:
        return [FieldFault("kind", f"One of {', '.join(KINDS)}")]
    url = url_fault(terms.kind, terms.url)
    field_faults = [FieldFault("url", url)] if url else list(_files(terms))
    if not MIN_ALERT <= terms.alert_after_seconds <= MAX_ALERT:
        field_faults.append(FieldFault("alert_after_seconds", f"From {MIN_ALERT} to {MAX_ALERT}"))
    return field_faults


def url_fault(kind: str, url: str) -> str:
    """Return why a stream of ``kind`` cannot go to ``url``, '' when it can."""
    secure, plain = SECURE[kind], PLAIN[kind]
    example = f"{secure}://siem.example" + (f":{SYSLOG_PORT}" if kind == "syslog" else "/placet")
    if "@" in url:
        return "Leave user and password out: everybody reads them here. Name a token_file"
    if "?" in url or "#" in url:
        return "Leave the query out: a secret in it would stay in the log. Name a token_file"
    match = ADDRESS.fullmatch(url)
    if match is None or len(url) > MAX_URL:
        return f"An address such as {example}, of at most {MAX_URL} characters"
    if match["scheme"] not in (secure, plain):
        return f"It must begin with {secure}://, or {plain}:// to this machine"
    if match["port"] is not None and not 1 <= int(match["port"]) <= 65535:
        return "The port must be from 1 to 65535"
    if match["scheme"] == plain and not is_loopback(match["host"]):
        return f"Only to this machine itself without TLS: begin with {secure}://"
    return _syslog_fault(match) if kind == "syslog" else ""


def _syslog_fault(match: re.Match[str]) -> str:
    if (match["path"] or "/") != "/":
        return "Syslog knows no path: leave it out"
    if match["scheme"] == "tcp" and match["port"] is None:
        return "Give the port: tcp://127.0.0.1:601"
    return ""


def _files(terms: StreamTerms) -> Iterator[FieldFault]:
    secure = terms.url.startswith(f"{SECURE[terms.kind]}://")
    for field in ("token_file", "ca_file", "cert_file"):
        name = getattr(terms, field)
        if not name:
            continue
        if not FILE_NAME.fullmatch(name):
            yield FieldFault(field, "The bare name of a file in the folder of stream secrets")
        elif field == "token_file" and terms.kind == "syslog":
            yield FieldFault(field, "Syslog knows no token: name a cert_file")
        elif field != "token_file" and not secure:
            yield FieldFault(field, "Only where there is TLS")


def is_loopback(host: str) -> bool:
    """Tell whether ``host``, as written in a URL, is this machine itself."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_plain(url: str) -> bool:
    """Tell whether what goes to ``url`` goes without TLS: to this machine itself alone."""
    return urlsplit(url).scheme in PLAIN.values()


def host_and_port(url: str) -> tuple[str, int]:
    """Return where a syslog address leads."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or SYSLOG_PORT


def scope_holds(stream_project: str | None, event_project: str | None) -> bool:
    """Tell whether a stream carries the body of an event; of others it carries the hash alone."""
    return stream_project is None or stream_project == event_project


# What somebody mends elsewhere (a token, a full disk, a missing route) is tried again by itself.
TRY_AGAIN = frozenset({401, 403, 404, 408, 425, 429})


def verdict(status: int, count: int) -> DeliveryVerdict:
    """Say what an HTTP status means for a batch of ``count`` events.

    A batch that is too large is cut in half, down to one event. Any other refusal of what was
    sent, and a redirect, waits for a person: nothing is ever left out.
    """
    if 200 <= status < 300:
        return "accepted"
    if status == 413:
        return "smaller" if count > 1 else "refused"
    return "retry" if status >= 500 or status in TRY_AGAIN else "refused"


def delay(failures: int, retry_after: str = "") -> float:
    """Return the seconds to wait after so many failures in a row: 2, 4, 8, … up to 300.

    ``retry_after`` is what the receiver wishes, in seconds; it is followed up to the same bound.
    """
    wished = float(retry_after) if retry_after.isdecimal() and len(retry_after) < 9 else 0.0
    return min(MAX_DELAY, max(2.0 ** min(failures, 20), wished))


# Webhooks: each event is a delivery of its own.
WEBHOOK_QUERY = re.compile(r"[A-Za-z0-9/._~%!$&'()*+,;=:@?-]*")
DAY = 86400.0
KEPT_TRYING = DAY  # seconds in which a delivery is tried again
GIVE_UP_AFTER = 3 * DAY  # of nothing but failure a webhook is disabled
# Seconds before the next attempt; the last of them again and again until the day is over.
PAUSES = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0)
JITTER = 0.2
MOST_WISHED = 6 * 3600.0  # seconds of a Retry-After that are followed
GONE = 410
MOST_DATE = 40  # characters of a Retry-After

WebhookOutcome = Literal["delivered", "waiting", "failed"]


@dataclass(frozen=True, slots=True)
class WebhookTerms:
    """Where a webhook goes, the groups of kinds of events that it is told of (none is all), and
    whether that is a program or which chat."""

    url: str
    groups: tuple[str, ...] = ()
    service: str = STANDARD


def webhook_faults(terms: WebhookTerms, known: Collection[str]) -> list[FieldFault]:
    """Return what is wrong with ``terms``; ``known`` are the groups that there are."""
    if service := service_fault(terms.service):
        return [FieldFault("service", service)]
    program = terms.service == STANDARD
    url = webhook_url_fault(terms.url) if program else chat_fault(terms.service, terms.url)
    found = [FieldFault("url", url)] if url else []
    if not set(terms.groups) <= set(known):
        found.append(FieldFault("groups", f"Of {', '.join(known)}; none is all of them"))
    return found


def webhook_url_fault(url: str) -> str:
    """Return why no webhook can go to ``url``, '' when one can."""
    address, mark, query = url.partition("?")
    match = ADDRESS.fullmatch(address)
    if "@" in address:
        return "Leave user and password out: the signature says who sends it"
    good = match is not None and len(url) <= MAX_URL and WEBHOOK_QUERY.fullmatch(query)
    if match is None or not good or not _is_host(match["host"]):
        return f"An address such as https://hooks.example/placet, of at most {MAX_URL} characters"
    if match["scheme"] != "https":
        return "It must begin with https://"
    if match["port"] is not None and not 1 <= int(match["port"]) <= 65535:
        return "The port must be from 1 to 65535"
    return "" if match["path"] or not mark else "Put a / before the query"


def _is_host(host: str) -> bool:
    """Tell whether what stands in brackets, if anything does, is an IPv6 address."""
    if not host.startswith("["):
        return True
    try:
        ipaddress.IPv6Address(host.strip("[]"))
    except ValueError:
        return False
    return True


def origin_of(url: str) -> str:
    """Return what is shown of a webhook's address: what stands behind it may be a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def webhook_outcome(
    status: int, attempts: int, age: float, wished: float | None, luck: float
) -> tuple[WebhookOutcome, float]:
    """Say what becomes of a delivery after an attempt, and in how many seconds it is tried again.

    ``status`` is HTTP's, 0 without an answer; ``age`` are the seconds since it was asked for,
    ``wished`` what the receiver asks for, ``luck`` is from 0 to 1, so that not all come at once.
    """
    if 200 <= status < 300:
        return "delivered", 0.0
    pause = PAUSES[min(attempts, len(PAUSES)) - 1] * (1 + JITTER * (2 * luck - 1))
    wait = max(pause, min(wished or 0.0, MOST_WISHED))
    return ("waiting", wait) if status != GONE and age + wait <= KEPT_TRYING else ("failed", 0.0)


def wished(retry_after: str, at: datetime) -> float | None:
    """Return the seconds that a Retry-After asks for, as a number or as a date (RFC 9110)."""
    text = retry_after[:MOST_DATE].strip()
    if text.isdecimal() and text.isascii():
        return float(text) if len(text) < 9 else MOST_WISHED
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - at).total_seconds())
