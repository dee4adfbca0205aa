"""What a node reports: what it is, what it runs, and how requests were answered."""

from typing import Literal, NotRequired, TypedDict

from placet_protocol.guard import GuardRule

REPORT_TYPE = "application/vnd.placet.report+json"
# What this agent can do beside what every agent could.
FEATURES = ("unit", "header_route", "mirror", "capture", "guard", "receipts")
CAPTURE_BYTES = 1 << 20  # of lines, in one request
LATENCY_BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)  # then "inf"

Phase = Literal[
    "preparing", "starting", "ready", "serving", "drained", "stopped", "failed", "refused"
]
# Requests that no split decided on: no unit could be read, so they stayed on stable; a header led
# them to the candidate; they are copies.
Cohort = Literal["no_unit", "overridden", "mirrored"]


class ReportReply(TypedDict):
    """What a node is told about its report."""

    v: int
    number: int


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
