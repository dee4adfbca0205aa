# Written from tests/contract/openapi.yaml by bin/client_records.py: `make schema` renews it.
"""Webhooks and what they were sent."""

from dataclasses import dataclass
from datetime import datetime

from placet_client.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerKey(Record):
    """A public key from before a rotation, whose signatures still stand in each request."""

    public_key: str
    until: datetime  # When they end


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Record):
    """A webhook, without its address and secret; without a project it is the instance's."""

    id: str
    name: str
    service: str  # standard: a program, by Standard Webhooks; else the chat that is told
    origin: str  # Of its address, up to the host
    groups: tuple[str, ...]  # Groups of kinds of events that it is told of; none: all
    project: str | None  # None: the whole instance
    # not_enabled: nobody enabled it yet; retrying: events do not get through; last_attempt_failed:
    # a test did not. Both of these are enabled
    state: str
    to_enable: str  # Who has to enable it; empty: it is enabled
    reason: str  # Why it is disabled; empty: it is not, or it is not_enabled
    public_key: str  # whpk_…, of its Ed25519 signatures; of a chat empty
    former_public_key: str  # The one before it, after a rotation
    # Until when the former ones sign beside the new ones; those before end sooner
    former_until: datetime | None
    # All that sign beside public_key at this moment, the last first
    former_keys: tuple[FormerKey, ...]
    # Since when nothing has got through; None while all is well, or it is disabled
    failing_since: datetime | None
    last_fault: str  # Of the last attempt, of a test too; empty: it got through, or none was made
    last_error: str  # The same in words
    last_detail: str  # What the system or a library says of it
    waiting: int  # Deliveries that are not settled
    created_by: str
    enabled_by: str  # Empty: nobody enabled it yet
    disabled_by: str  # system: Placet itself, for its reason; empty: nobody, or it is not known
    disabled_at: datetime | None  # None: it is not disabled, or that is not known
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenWebhook(Webhook):
    """A webhook with its secret, which is shown this once."""

    secret: str  # whsec_…, of its HMAC-SHA256 signatures; of a chat empty


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDelivery(Record):
    """One event on its way to a webhook, or a test."""

    id: str  # What goes out as webhook-id, the same at each attempt
    event: int | None  # The event's index; None: a test
    kind: str
    state: str  # retrying: it waits after an attempt
    attempts: int
    status: int  # HTTP's, of the last attempt; 0: no answer
    fault: str  # What went wrong; empty: nothing. Of the last attempt
    dropped: str  # Why it was given up though it would still have been tried; empty: it was not
    error: str  # Both in words
    detail: str  # What the system or a library says of it
    next_at: datetime | None  # When it is tried next; None: it is settled
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAttempt(Record):
    """One attempt at a delivery."""

    number: int
    at: datetime
    seconds: float
    headers: dict[str, str]  # Of the request, without the signatures
    status: int  # HTTP's; 0: no answer
    # The first 1,024 characters of what came back; None: of an event, to who does not hold
    # audit.view where the webhook belongs
    answer: str | None
    fault: str  # What went wrong; empty: nothing
    error: str  # The same in words
    detail: str  # What the system or a library says of it


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDeliveryDetail(WebhookDelivery):
    """A delivery with its last attempts, newest first."""

    last_attempts: tuple[WebhookAttempt, ...]
