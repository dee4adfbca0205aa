"""Having a webhook sent a test, or something once more."""

from django.db.models import F

from apps.audit.actions import record
from apps.integrations import queries
from apps.integrations.actions.webhooks import locked
from apps.integrations.errors import TriedOnce, WebhookMoved
from apps.integrations.events import WEBHOOK_REDELIVERED, WEBHOOK_TESTED
from apps.integrations.models import (
    OPEN_DELIVERIES,
    Webhook,
    WebhookDelivery,
    WebhookDeliveryState,
    WebhookState,
)
from apps.jobs.actions import enqueue
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import NotFound

TEST_KIND = "test.v1"


def ask_for_webhook_test(webhook: Webhook, *, actor: Actor) -> WebhookDelivery:
    """Have a webhook sent something that holds nothing of the log, once, in whatever state it is.

    Needs ``stream.manage``. While a test waits or is on its way it is that one.
    """
    with record(actor) as log:
        row = locked(webhook, "stream.manage", actor)
        waiting = WebhookDelivery.objects.filter(
            webhook=row, index=None, state__in=OPEN_DELIVERIES
        ).first()
        if waiting is not None:
            return waiting
        at = now()
        made = WebhookDelivery.objects.create(
            webhook=row, kind=TEST_KIND, created_at=at, asked_at=at, next_at=at
        )
        log.add(WEBHOOK_TESTED, row)
        _call(row)
    return made


def redeliver(delivery: WebhookDelivery, *, actor: Actor) -> WebhookDelivery:
    """Have a webhook sent an event once more, under the ``webhook-id`` that it has.

    Needs ``stream.manage``, and a webhook that is enabled and still told of events of this kind.
    """
    with record(actor) as log:
        hook = locked(delivery.webhook, "stream.manage", actor)
        if delivery.index is None:
            raise TriedOnce("This delivery was a test, which is tried once: send another")
        if hook.state != WebhookState.ENABLED:
            raise WebhookMoved("The webhook is disabled: enable it first")
        if not queries.tells(hook, delivery.kind):
            raise WebhookMoved("The webhook is no longer told of events of this kind")
        at = now()
        settled = WebhookDelivery.objects.filter(pk=delivery.pk, webhook=hook)
        if not settled.exclude(state=WebhookDeliveryState.SENDING).update(
            state=WebhookDeliveryState.WAITING,
            generation=F("generation") + 1,
            asked_at=at,
            next_at=at,
            tries=0,
            fault="",
            detail="",
            dropped="",
        ):
            if not settled.exists():
                raise NotFound
            raise WebhookMoved("It is being sent at this moment")
        log.add(WEBHOOK_REDELIVERED, hook, data={"index": delivery.index})
        _call(hook)
    return WebhookDelivery.objects.select_related("webhook__project").get(pk=delivery.pk)


def _call(row: Webhook) -> None:
    enqueue("integrations.call", key=row.pk, project=row.project_id, webhook=row.pk)
