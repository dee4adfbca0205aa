"""How a webhook is disabled, whoever does it, and what becomes of what it was still to be told."""

from django.db.models import Q

from apps.audit.actions import Recorder
from apps.integrations.events import WEBHOOK_DISABLED
from apps.integrations.models import (
    Webhook,
    WebhookDelivery,
    WebhookDeliveryState,
    WebhookDrop,
    WebhookReason,
    WebhookState,
)
from placet.kernel.clock import now
from placet.kernel.states import move


def disabled(row: Webhook, reason: WebhookReason, log: Recorder) -> bool:
    """Disable ``row``, which is locked; ``False`` when it is disabled already."""
    why = {"reason": reason, "disabled_by": log.actor.id, "disabled_at": now()}
    if not move(row, expected=WebhookState.ENABLED, to=WebhookState.DISABLED, **why):
        return False
    stopped(row)
    log.add(WEBHOOK_DISABLED, row, data={"reason": str(reason)})
    return True


def stopped(row: Webhook) -> None:
    """Give up what waits to be delivered, and what nobody sends any more. What is on its way is
    settled by who sends it."""
    waits = Q(state=WebhookDeliveryState.WAITING) | Q(
        state=WebhookDeliveryState.SENDING, lease_until__lt=now()
    )
    mine = WebhookDelivery.objects.filter(waits, webhook=row).exclude(index=None)
    dropped = WebhookDrop.DISABLED
    mine.update(state=WebhookDeliveryState.FAILED, lease_until=None, dropped=dropped)


def forgotten(row: Webhook) -> None:
    """Delete every delivery of an event, so that nobody sends it again. Tests hold nothing."""
    WebhookDelivery.objects.filter(webhook=row).exclude(index=None).delete()
