"""What stands with a webhook, its deliveries and its attempts, and with a stream, in the words that
pages, API, command line and alerts have for it."""

from datetime import datetime
from enum import StrEnum

from django.db.models import QuerySet

from apps.identity.rules.permissions import roles_with
from apps.integrations.models import (
    SENDING,
    Attempted,
    Stream,
    Webhook,
    WebhookDelivery,
    WebhookDeliveryState,
    WebhookDrop,
    WebhookFault,
    WebhookState,
)
from apps.integrations.queries.chats import START
from apps.integrations.senders import status_words


class WebhookStanding(StrEnum):
    """What a webhook does now. One that is retried, or whose last attempt failed, is enabled."""

    NOT_ENABLED = "not_enabled"
    ENABLED = "enabled"
    LAST_ATTEMPT_FAILED = "last_attempt_failed"
    RETRYING = "retrying"
    DISABLED = "disabled"


class DeliveryStanding(StrEnum):
    """What became of a delivery; one that waits after an attempt is retried."""

    WAITING = "waiting"
    RETRYING = "retrying"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"


class StreamStanding(StrEnum):
    """What a stream does now. One whose last attempt failed is tried again by itself."""

    PAUSED = "paused"
    RUNNING = "running"
    RETRYING = "retrying"
    BLOCKED = "blocked"


def stream_standing(stream: Stream) -> StreamStanding:
    """Return what a stream does now, by the word that a webhook has for the same."""
    if stream.state in SENDING:
        return StreamStanding.RETRYING if stream.error else StreamStanding.RUNNING
    return StreamStanding(stream.state)


def standing_of(hook: Webhook) -> WebhookStanding:
    """Return what a webhook does now."""
    if hook.state != WebhookState.ENABLED:
        return WebhookStanding.DISABLED if hook.enabled_by else WebhookStanding.NOT_ENABLED
    if hook.failing_since:
        return WebhookStanding.RETRYING
    return WebhookStanding.LAST_ATTEMPT_FAILED if hook.fault else WebhookStanding.ENABLED


def failing_since(hook: Webhook) -> datetime | None:
    """Return since when nothing has got through; one that is told of nothing does not fail."""
    return hook.failing_since if hook.state == WebhookState.ENABLED else None


def to_enable(hook: Webhook) -> str:
    """Return who has to enable a webhook, '' where it is enabled."""
    if hook.state == WebhookState.ENABLED:
        return ""
    roles = " or ".join(roles_with(START))
    return f"Someone with permission to export {log_of(hook)} (role {roles}) has to enable it"


def log_of(hook: Webhook) -> str:
    """Return what the log is called that a webhook is told of."""
    return f"the log of {hook.project.name}" if hook.project else "the whole log"


def delivery_standing(delivery: WebhookDelivery) -> DeliveryStanding:
    """Return what became of a delivery."""
    if delivery.state == WebhookDeliveryState.WAITING and delivery.tries:
        return DeliveryStanding.RETRYING
    return DeliveryStanding(delivery.state)


def in_standing(rows: QuerySet[WebhookDelivery], standing: str) -> QuerySet[WebhookDelivery]:
    """Keep the deliveries that stand so."""
    waiting = rows.filter(state=WebhookDeliveryState.WAITING)
    match standing:
        case DeliveryStanding.WAITING:
            return waiting.filter(tries=0)
        case DeliveryStanding.RETRYING:
            return waiting.exclude(tries=0)
    return rows.filter(state=standing)


def fault_words(row: Attempted) -> str:
    """Return what went wrong with the last attempt in a short sentence, '' where nothing did."""
    match row.fault:
        case "":
            return ""
        case WebhookFault.ANSWERED:
            return status_words(row.status)
        case WebhookFault.FORMER:
            return row.detail
    return WebhookFault(row.fault).label


def fault_detail(row: Attempted) -> str:
    """Return what is known of it beside that sentence."""
    return "" if row.fault == WebhookFault.FORMER else row.detail


def delivery_words(delivery: WebhookDelivery) -> str:
    """Return why a delivery did not get through in short sentences, '' where nothing went wrong."""
    dropped = WebhookDrop(delivery.dropped).label if delivery.dropped else ""
    return ". ".join(filter(None, [fault_words(delivery), dropped]))
