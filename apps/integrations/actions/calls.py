"""Writing down what webhooks are to be told, who tells them now, and what came of it."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet

from apps.audit.actions import Recorder, record
from apps.integrations import queries
from apps.integrations.actions.webhook_states import disabled
from apps.integrations.calling import Called
from apps.integrations.models import (
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryState,
    WebhookDrop,
    WebhookReason,
    WebhookState,
)
from apps.integrations.rules import GIVE_UP_AFTER, GONE, WebhookOutcome, webhook_outcome
from apps.jobs.handlers import LeasedJob
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import now
from placet.kernel.faults import crash_point

MOST_WAITING = 1000  # deliveries of a webhook; the log is read on when some are settled
KEPT = 1000  # settled deliveries of a webhook
KEPT_FOR = timedelta(days=14)
KEPT_ATTEMPTS = 20  # of a delivery
LEASE = timedelta(seconds=30)  # longer than any call takes


def spread(webhook: Webhook, *, job: LeasedJob) -> int:
    """Make a delivery of each event that ``webhook`` has not been told of; return how many.

    They and the cursor are there together, or neither: no event is left out or told of twice.
    """
    with record(SYSTEM):
        job.fence()
        row = _enabled(webhook)
        room = MOST_WAITING - queries.waiting(webhook)
        if row is None or room <= 0:
            return 0
        news, at = queries.news(row, room), now()
        WebhookDelivery.objects.bulk_create(
            WebhookDelivery(
                webhook=row, index=index, kind=kind, created_at=at, asked_at=at, next_at=at
            )
            for index, kind in news.events
        )
        Webhook.objects.filter(pk=row.pk).update(cursor=news.next)
        crash_point("integrations.before_spread_commit")
    crash_point("integrations.after_spread_commit")
    return len(news.events)


def _enabled(webhook: Webhook) -> Webhook | None:
    rows = Webhook.objects.select_for_update(no_key=True)
    return rows.filter(pk=webhook.pk, state=WebhookState.ENABLED).first()


def claim(webhook_id: str, count: int, *, job: LeasedJob) -> list[WebhookDelivery]:
    """Take at most ``count`` deliveries that are due, for as long as the lease of each lasts. Of a
    chat it is one: people read in the order of what happened, and chats refuse many at once.

    Each carries the webhook as it is then, and goes where that leads. The webhook is locked: it
    does not change between the look at its state and the lease. A chat whose enabler may no longer
    read what it is told is disabled here, before anything is sent.
    """
    with record(SYSTEM) as log:
        job.fence()
        hook = Webhook.objects.select_for_update(no_key=True).filter(pk=webhook_id).first()
        if hook is None:
            return []
        if hook.is_chat and hook.state == WebhookState.ENABLED and not queries.still_reads(hook):
            disabled(hook, WebhookReason.REVOKED, log)
        due = queries.due_deliveries().filter(webhook=webhook_id).order_by("next_at", "index", "pk")
        most = 1 if hook.is_chat else count
        rows = list(due.select_for_update(of=("self",), skip_locked=True, no_key=True)[:most])
        until = now() + LEASE
        for row in rows:
            row.webhook = hook
            row.state, row.lease_until = WebhookDeliveryState.SENDING, until
            row.generation += 1
            row.attempts += 1
            row.tries += 1
        changed = ["state", "lease_until", "generation", "attempts", "tries"]
        WebhookDelivery.objects.bulk_update(rows, changed)
    return rows


@dataclass(frozen=True, slots=True)
class _Settled:
    outcome: WebhookOutcome
    wait: float = 0.0
    dropped: str = ""


def called(delivery: WebhookDelivery, came: Called, *, job: LeasedJob) -> bool:
    """Write down what came of an attempt; ``False`` when somebody else has the delivery by now."""
    with record(SYSTEM) as log:
        job.fence()
        rows = Webhook.objects.select_for_update(no_key=True)
        hook = rows.filter(pk=delivery.webhook_id).first()
        if hook is None:
            return False
        settled, at = _settled(delivery, hook, came), now()
        mine = WebhookDelivery.objects.filter(
            pk=delivery.pk,
            state=WebhookDeliveryState.SENDING,
            generation=delivery.generation,
        )
        if not mine.update(
            state=settled.outcome,
            next_at=at + timedelta(seconds=settled.wait),
            lease_until=None,
            dropped=settled.dropped,
            **_result(came),
        ):
            return False
        _keep(delivery, came)
        if delivery.webhook.generation == hook.generation:  # it may lead elsewhere by now
            Webhook.objects.filter(pk=hook.pk).update(**_result(came))
        if delivery.index is not None:
            _judge(hook, delivery.webhook.generation, came, settled.outcome, log)
        crash_point("integrations.before_call_commit")
    crash_point("integrations.after_call_commit")
    return True


def _settled(delivery: WebhookDelivery, hook: Webhook, came: Called) -> _Settled:
    age = (now() - delivery.asked_at).total_seconds()
    luck = random.random()  # noqa: S311 (so that not all come at once)
    outcome, wait = webhook_outcome(came.status, delivery.tries, age, came.wished, luck)
    if outcome == "waiting" and delivery.index is None:
        return _Settled("failed")  # a test is tried once
    if outcome == "waiting" and hook.state != WebhookState.ENABLED:
        return _Settled("failed", dropped=WebhookDrop.DISABLED)
    return _Settled(outcome, wait)


def _result(came: Called) -> dict[str, Any]:
    """Return the columns of :class:`Attempted`."""
    return {"fault": came.fault, "status": came.status, "detail": came.detail}


def _keep(delivery: WebhookDelivery, came: Called) -> None:
    WebhookAttempt.objects.create(
        delivery=delivery,
        number=delivery.attempts,
        at=now(),
        seconds=round(came.seconds, 3),
        headers=came.headers,
        answer=came.answer,
        **_result(came),
    )
    mine = WebhookAttempt.objects.filter(delivery=delivery)
    _cut(mine, KEPT_ATTEMPTS)


def _judge(
    hook: Webhook, sent_by: int, came: Called, outcome: WebhookOutcome, log: Recorder
) -> None:
    """Disable who is gone, or has taken nothing for days, unless somebody changed it after the
    generation that it was sent by: it may lead elsewhere by now."""
    rows = Webhook.objects.filter(pk=hook.pk)
    if outcome == "delivered":
        rows.exclude(failing_since=None).update(failing_since=None)
        return
    if sent_by != hook.generation:
        return
    at = now()
    rows.filter(failing_since=None).update(failing_since=at)
    since = hook.failing_since or at
    if came.status == GONE:
        disabled(hook, WebhookReason.GONE, log)
    elif outcome == "failed" and (at - since).total_seconds() >= GIVE_UP_AFTER:
        disabled(hook, WebhookReason.FAILING, log)


def unsent(delivery: WebhookDelivery, *, job: LeasedJob) -> None:
    """Give up a delivery whose event was archived: there is nothing to send of it any more."""
    with record(SYSTEM):
        job.fence()
        mine = WebhookDelivery.objects.filter(pk=delivery.pk, generation=delivery.generation)
        dropped = WebhookDrop.ARCHIVED
        mine.update(state=WebhookDeliveryState.FAILED, lease_until=None, dropped=dropped)


def prune(webhook: Webhook, *, job: LeasedJob) -> int:
    """Forget settled deliveries: those that are old, and the oldest of many. Return how many."""
    with record(SYSTEM):
        job.fence()
        over = (WebhookDeliveryState.DELIVERED, WebhookDeliveryState.FAILED)
        mine = WebhookDelivery.objects.filter(webhook=webhook, state__in=over)
        old, _ = mine.filter(asked_at__lt=now() - KEPT_FOR).delete()
        return old + _cut(mine, KEPT)


def _cut(mine: QuerySet[Any], kept: int) -> int:
    """Delete all but the last ``kept`` of ``mine``."""
    newest_first = mine.order_by("-pk").values_list("pk", flat=True)
    oldest = newest_first[kept : kept + 1].first()
    if oldest is None:
        return 0
    deleted, _ = mine.filter(pk__lte=oldest).delete()
    return deleted
