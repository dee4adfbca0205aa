"""What a node and the platform say to each other, and how a request is signed.

All of it is HTTP and JSON under ``<platform URL>/agent/v1/``. Digests inside JSON are written
``sha256:<64 hex>``; in a path only the 64 hex digits stand. Times are RFC 3339 in UTC.

``GET keys``
    Open to everybody. ``{"v": 1, "root_public": <base64 of 32 bytes>, "keys": <DSSE envelope>}``;
    the envelope is ``keys.json``, signed by the root key. Asked before joining (the node compares
    ``sha256(root_public)`` with the fingerprint in its token, and pins it) and whenever a state
    is signed by a key the node does not know yet. A lower ``number`` is refused by the node.

``POST join``
    ``JoinRequest`` → 201 ``JoinReply``. The token that people see is ``<secret>.<fingerprint>``;
    ``fingerprint`` is the SHA-256 (64 hex) of the raw root public key. Only ``<secret>`` is sent.
    The request is signed by the new node key without ``Placet-Node``: proof of possession. The
    same secret with the same public key answers again with the same node (a reply may be lost);
    with another key it is 403.

``GET state?epoch=E&number=N&wait=S``
    E and N: what the node has verified and stored (0 and 0 at first). 200 with the DSSE envelope
    (payload type ``STATE_TYPE``) as soon as there is a state other than (E, N), 204 after S
    seconds without one. The node refuses a lower (epoch, number) and says so in its report.

    A revision of the state may carry ``serving``, the approved configuration; the node compares
    what it is to run (``memory_mb``, ``variables``) with the one inside the permit instead.
    ``wanted``: ``run``; ``drain`` (no new requests, replicas stay until told to stop; reported
    ``drained`` when no request is under way); ``stop``. A revision that left the state is stopped.
    Two revisions of an endpoint at most have a weight; a weight takes effect when the revision
    has a ready replica, until then what served before goes on.

    An endpoint may name its ``stable`` revision (else the node remembers which served first), and
    a revision its ``salt``. When the permit's serving configuration has a ``unit`` the split is by
    unit: see ``placet_verify.units``. One revision may have a ``header_route`` (a request with this
    ``value`` in this ``header`` goes there, at weight 0 too), one a ``mirror`` (of so many of
    10,000 requests to stable it gets a copy). A state without these members splits per request.

    A revision that is tried out may have a ``guard``: when one of its rules is broken the node
    gives all requests to ``stable``, by itself and for good. It says so in ``aborts`` of every
    report, until a state no longer has the revision or gives weight to a third one.

    ``recalled`` are Bentos that must not run now. ``recalls`` are envelopes of the statements
    ``recall`` and ``recall-lifted`` (``placet_verify.statements.recall``), each signed by the
    ``decision`` key: the node keeps all it ever saw, and goes by them whatever a later state says.

    A node says in ``features`` of its platform what it knows. One that does not name ``unit``
    splits per request whatever was approved, so the platform starts no such revision there.

``POST report``
    Body: a DSSE envelope (payload type ``REPORT_TYPE``) signed by the node key, holding a
    ``Report``. 200 ``ReportReply``. ``number`` rises with every report, restarts included; a
    report with a number that is not higher is 409 ``stale_report`` with ``number`` beside it.
    ``receipts`` are envelopes of the statements ``ran`` and ``recall-stopped``, signed by the node
    key, sent until a report with them was answered; absent in what older agents send.
    Metric windows may come twice: (revision, started_at) names one; ``first`` and ``apart`` are
    absent in what older agents send.

``POST captures?revision=R&file=F&offset=N``
    Body: zlib of whole lines of one file of captured predictions, from byte N of the file on, at
    most ``CAPTURE_BYTES`` before compression. 201 ``{"v": 1, "offset": M}`` when they were new, 409
    ``other_offset`` with ``offset`` beside it when the platform has the file up to another byte:
    the node goes on from there. So each byte arrives once, however often it is sent, and the node
    need not remember what it sent. 404 for a revision that is not this node's.

``GET blobs/<sha256>``
    The bytes of a Bento archive or a wheel that this node's state names (wheels: through a
    runtime of a revision or of ``prefetch``). 404 for any other.

``GET runtimes/<digest hex>``
    ``RuntimeManifest``; the digest is the canonical digest of ``{"python_version", "lock"}``.

Every request but ``keys`` carries ``Placet-Node`` (not at join), ``Placet-Time`` and
``Placet-Signature``: base64 of Ed25519 over ``METHOD\\npath?query\\ntime\\nsha256hex(body)``, with
``path?query`` exactly as sent (``/agent/v1/state?epoch=0&number=0&wait=20``). The platform refuses
a time more than ``MAX_SKEW_SECONDS`` from its own. Refusals are ``application/problem+json``.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, NotRequired, Protocol, TypedDict

from placet_agent.guard import Guard, GuardRule

PREFIX = "/agent/v1/"
# What this agent can do beside what every agent could.
FEATURES = ("unit", "header_route", "mirror", "capture", "guard", "receipts")
STATE_TYPE = "application/vnd.placet.state+json"
REPORT_TYPE = "application/vnd.placet.report+json"
HEADER_NODE = "Placet-Node"
HEADER_TIME = "Placet-Time"
HEADER_SIGNATURE = "Placet-Signature"
MAX_SKEW_SECONDS = 120
CAPTURE_BYTES = 1 << 20  # of lines, in one request
WHOLE = 10_000  # a weight is a number out of this
LATENCY_BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)  # then "inf"

Phase = Literal[
    "preparing", "starting", "ready", "serving", "drained", "stopped", "failed", "refused"
]
Wanted = Literal["run", "drain", "stop"]
# Requests that no split decided on: no unit could be read, so they stayed on stable; a header led
# them to the candidate; they are copies.
Cohort = Literal["no_unit", "overridden", "mirrored"]


class ProtocolError(ValueError):
    """What came over the wire is not what the protocol says."""


class Signer(Protocol):
    """A private key that signs bytes."""

    def sign(self, data: bytes) -> bytes:
        """Return the raw signature."""
        ...


# --- requests --------------------------------------------------------------------------------


class JoinRequest(TypedDict):
    """What a node sends to join a target."""

    v: int
    token: str  # the secret part
    public_key: str  # base64 of the raw Ed25519 public key
    agent_version: str
    platform: "PlatformInfo"


class JoinReply(TypedDict):
    """What a node is told when it has joined."""

    v: int
    node: str
    target: str
    target_name: str


class ReportReply(TypedDict):
    """What a node is told about its report."""

    v: int
    number: int


class WheelEntry(TypedDict):
    """One wheel of a runtime."""

    name: str
    sha256: str  # 64 hex, with or without "sha256:"
    size: int


class RuntimeManifest(TypedDict):
    """How a runtime is installed, offline, from wheels by hash."""

    python_version: str  # "3.13"
    lock: str  # requirements with hashes
    wheels: list[WheelEntry]


# --- the report ------------------------------------------------------------------------------


class PlatformInfo(TypedDict):
    """What the host can do."""

    pythons: list[str]  # ["3.11", "3.13"]
    isolation: str  # "bwrap", or "none": then nothing runs here
    memory_limit: str  # "cgroup1", "cgroup2" or "prlimit"
    memory_mb: int
    cpus: int
    machine: str  # "x86_64"
    haproxy: str  # its version
    port: int  # where clients reach endpoints
    agent_version: str
    features: list[str]  # of FEATURES


class Generation(TypedDict):
    """The number of a state. A restored database raises the epoch."""

    epoch: int
    number: int


class RevisionReport(TypedDict):
    """What the node sees of one revision."""

    id: str
    phase: Phase
    ready_replicas: int
    weight: int  # what HAProxy applies now, out of 10,000
    detail: str  # one sentence, or the tail of the log of a failed replica
    bento_digest: str
    since: str  # when it entered the phase
    restarts: int
    isolation: str


class RequestCounts(TypedDict):
    """How requests were answered."""

    status_2xx: int
    status_3xx: int
    status_4xx: int
    status_5xx: int
    latency: dict[str, int]  # requests per upper bound in ms: {"5": 10, …, "inf": 0}


class MetricWindow(RequestCounts):
    """Requests of one revision in one window; those ``apart`` stand there alone."""

    revision: str
    started_at: str
    seconds: float
    # of each unit that was drawn: its first request since the split has this salt and weight
    first: NotRequired[RequestCounts]
    apart: NotRequired[dict[Cohort, RequestCounts]]
    error: NotRequired[str]  # the log and HAProxy's counters differ: do not trust the numbers


class NodeError(TypedDict):
    """Something the node refused or could not do, in a sentence."""

    code: str  # state_refused, checkpoint_went_back, metrics_gap, haproxy, platform_unreachable …
    detail: str


class LocalAbort(TypedDict):
    """The node took the requests from a revision by itself, and gave them to ``stable``."""

    endpoint: str
    revision: str
    stable: str
    rule: GuardRule
    detail: str  # how it is broken
    at: str
    state: Generation  # the one it followed


class Report(TypedDict):
    """The payload of a report envelope."""

    v: int
    node: str
    number: int
    at: str
    applied: Generation
    platform: PlatformInfo
    checkpoint: str | None  # the newest note this node keeps
    revisions: list[RevisionReport]
    prefetched: list[str]  # Bento digests that lie ready
    recalled: list[str]  # recalled Bentos of which nothing runs here: confirmed
    errors: list[NodeError]
    aborts: list[LocalAbort]
    receipts: list[str]
    metrics: list[MetricWindow]


# --- the desired state -----------------------------------------------------------------------


@dataclass(frozen=True)
class RuntimeRef:
    """Which runtime a Bento needs."""

    digest: str
    python_version: str


@dataclass(frozen=True)
class HeaderRoute:
    """A request with this value in this header goes to the revision, whatever its weight."""

    header: str
    value: str


@dataclass(frozen=True)
class DesiredRevision:
    """One Bento that should serve behind an endpoint."""

    id: str
    release: str
    bento_digest: str
    bento_size: int
    runtime: RuntimeRef
    permit: str
    replicas: int
    memory_mb: int
    variables: Mapping[str, str]
    weight: int
    wanted: Wanted
    restart_nonce: int
    salt: str = ""  # draws which units it gets
    header_route: HeaderRoute | None = None  # for testers
    mirror: int = 0  # of 10,000 requests it gets a copy, and nobody its answer
    guard: Guard | None = None  # when the node takes its requests from it


@dataclass(frozen=True)
class DesiredEndpoint:
    """A stable path and the revisions behind it."""

    id: str
    project: str
    project_slug: str
    environment: str
    name: str
    path: str
    api_key_required: bool
    keys: tuple[str, ...]  # SHA-256 hex of API keys
    revisions: tuple[DesiredRevision, ...]
    stable: str = ""  # the revision that is live


@dataclass(frozen=True)
class Prefetch:
    """A Bento and runtime to lie ready, never to be started."""

    bento_digest: str
    runtime_digest: str


@dataclass(frozen=True)
class DesiredState:
    """All that one node should serve."""

    target: str
    epoch: int
    number: int
    issued_at: datetime
    valid_until: datetime
    checkpoint: str | None
    on_expired: Literal["serve", "stop"]
    recalled: frozenset[str]
    endpoints: tuple[DesiredEndpoint, ...]
    prefetch: tuple[Prefetch, ...] = field(default=())
    recalls: tuple[str, ...] = ()  # signed recalls and lifts

    @property
    def generation(self) -> tuple[int, int]:
        """``(epoch, number)``, ordered."""
        return self.epoch, self.number


def parse_time(text: object) -> datetime:
    """Read an RFC 3339 time."""
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError as error:
        raise ProtocolError(f"{text!r} is not a time") from error
    if moment.tzinfo is None:
        raise ProtocolError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)


def format_time(moment: datetime) -> str:
    """Write an RFC 3339 time in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- signing ---------------------------------------------------------------------------------


def signed_text(method: str, target: str, time: str, body: bytes) -> bytes:
    """Return the bytes that a request's signature covers; ``target`` is ``path?query``."""
    return "\n".join((method.upper(), target, time, hashlib.sha256(body).hexdigest())).encode()


def sign_request(
    key: Signer, method: str, target: str, body: bytes, *, node: str, at: datetime
) -> dict[str, str]:
    """Return the headers that sign one request; ``node`` is empty only at join."""
    time = format_time(at)
    signature = base64.b64encode(key.sign(signed_text(method, target, time, body))).decode()
    headers = {HEADER_TIME: time, HEADER_SIGNATURE: signature}
    if node:
        headers[HEADER_NODE] = node
    return headers
