# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""What served at an instant, and who approved it."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record
from placet_client.records.serving import (
    ToldRecall,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval(Record):
    """Who let a release run, as its permit says."""

    person: str
    name: str
    role: str
    at: datetime
    emergency: bool  # By breaking the glass
    event: int | None  # Where the log says it
    recalled_since: bool  # A recall that stands took it back since: it would not count today


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReceipt(Record):
    """What a node signed to have run at that instant."""

    id: str
    node: str
    started_at: datetime  # By the node's clock
    ended_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRevision(Record):
    """A revision that served then."""

    id: str
    number: int
    percent: float  # Of the endpoint's requests
    header: str  # Requests with this header, whatever the percentage
    copies_percent: float  # Of copies, whose answers nobody gets
    since: datetime  # When this share of the requests began
    until: datetime | None  # None while it has it still
    started: bool  # The endpoint was started at `since`: replicas answered a little later
    since_event: int  # Where the log says it
    until_event: int | None
    model: str
    version: int
    bento_digest: str
    release: str
    release_number: int
    policy_number: int
    policy_digest: str
    approvals: tuple[Approval, ...]
    receipts: tuple[RunReceipt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStop(Record):
    """Who had stopped an endpoint, and when."""

    at: datetime
    by: str
    by_name: str
    event: int  # Where the log says it
    recalled: bool  # Whether Placet did it because of a recall
    recall: ToldRecall | None  # That recall; None also where it is not visible to you


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(Record):
    """An endpoint as it was at an instant, and what served there."""

    at: datetime
    project: str
    environment: str
    endpoint: str
    endpoint_name: str
    state: str  # active, stopped, or unknown
    stopped: EndpointStop | None  # Who had stopped it; None of one that was not stopped then
    revisions: tuple[ServedRevision, ...]
    faults: tuple[str, ...]  # Why this may not be all, a sentence each
