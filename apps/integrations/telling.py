"""Telling webhooks of events: making deliveries of what is new, and sending those that are due.

A pass may be repeated or run after another was killed. Who sends a delivery has it by a lease; one
that was sent and not written down is sent again, under the same ``webhook-id``.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db.models import QuerySet

from apps.integrations import actions, queries
from apps.integrations.calling import Call, Called, call
from apps.integrations.models import (
    BY_ITSELF,
    Webhook,
    WebhookDelivery,
    WebhookFault,
    WebhookReason,
    WebhookState,
)
from apps.integrations.reconciler import SLICE
from apps.integrations.standing import fault_words
from apps.integrations.webhook_secrets import OpenedWebhook, opened
from apps.jobs.actions import enqueue
from apps.jobs.handlers import LeasedJob
from apps.monitoring.actions.alerts import AlertFinding
from apps.monitoring.models import AlertKind, unresolved
from apps.monitoring.reconciler import Sweep, settle
from placet.kernel.clock import now
from placet.kernel.faults import crash_point
from placet.kernel.keystore import KeyUnavailable, opening_keys
from placet.kernel.outbound import OutboundFailed

AT_ONCE = 8  # deliveries of one webhook on their way: one that hangs does not hold up the others


def spread(job: LeasedJob) -> dict[str, int]:
    """Make deliveries of what is new, and have the webhooks called that have any due."""
    made = 0
    for hook in queries.webhooks_behind():
        made += actions.spread(hook, job=job)
    due = queries.webhooks_due()
    for webhook, project in due:
        enqueue("integrations.call", key=webhook, project=project, webhook=webhook)
    return {"made": made, "due": len(due)}


def tell(webhook_id: str, job: LeasedJob) -> dict[str, int]:
    """Send what is due of one webhook until all is sent or the time is up."""
    end, sent = time.monotonic() + SLICE, 0
    while time.monotonic() < end and not job.cancelled():
        deliveries = actions.claim(webhook_id, AT_ONCE, job=job)
        if not deliveries:
            break
        sent += _send(deliveries, job)
    return {"sent": sent}


def _send(deliveries: list[WebhookDelivery], job: LeasedJob) -> int:
    hook = deliveries[0].webhook  # as it was claimed: what was approved for it goes nowhere else
    calls = _calls(deliveries, job)
    try:
        to = opened(hook, now())
    except OutboundFailed as failure:
        for delivery, _ in calls:
            actions.called(delivery, Called.failed(failure, 0.0, {}), job=job)
        return len(calls)
    for delivery, came in _at_once(to, calls):
        actions.called(delivery, came, job=job)
    return len(calls)


def _calls(deliveries: list[WebhookDelivery], job: LeasedJob) -> list[tuple[WebhookDelivery, Call]]:
    calls = []
    for delivery in deliveries:
        body = queries.message_of(delivery)
        if body is None:
            actions.unsent(delivery, job=job)
        else:
            calls.append((delivery, Call(delivery.pk, body, test=delivery.index is None)))
    return calls


def _at_once(
    to: OpenedWebhook, calls: list[tuple[WebhookDelivery, Call]]
) -> list[tuple[WebhookDelivery, Called]]:
    """Send all of them at the same time. The threads touch no database."""
    if not calls:
        return []
    with ThreadPoolExecutor(len(calls), thread_name_prefix="webhook") as pool:
        came = list(pool.map(lambda pair: call(to, pair[1]), calls))
    crash_point("integrations.after_call")
    return [(delivery, one) for (delivery, _), one in zip(calls, came, strict=True)]


def prune(job: LeasedJob) -> dict[str, int]:
    """Forget what was delivered long ago, and the oldest of many."""
    return {"removed": sum(actions.prune(hook, job=job) for hook in Webhook.objects.order_by("pk"))}


def reseal(job: LeasedJob) -> dict[str, int]:
    """Encrypt for the secret key in use what was for one before it, until the time is up: after a
    rotation those are needed no more."""
    try:
        keys = opening_keys()
    except KeyUnavailable:  # whatever is sent says so
        return {"resealed": 0}
    end, done = time.monotonic() + SLICE, 0
    for webhook in queries.webhooks_behind_key(keys.public):
        if time.monotonic() >= end or job.cancelled():
            break
        done += actions.reseal(webhook, keys, job=job)
    return {"resealed": done}


def watch() -> dict[str, int]:
    """Open an alert about each webhook that was disabled by itself, until it is enabled again."""
    off = _disabled().select_related("project").order_by("pk")
    return settle(Sweep([_finding(hook) for hook in off]), (AlertKind.WEBHOOK_DISABLED,), {})


def anything_to_watch() -> list[QuerySet[Any]]:
    """Return what :func:`watch` looks at: disabled webhooks, and alerts that may be over."""
    return [_disabled(), unresolved(AlertKind.WEBHOOK_DISABLED)]


def _disabled() -> QuerySet[Webhook]:
    return Webhook.objects.filter(state=WebhookState.DISABLED, reason__in=BY_ITSELF)


def _finding(hook: Webhook) -> AlertFinding:
    why, last = WebhookReason(hook.reason).label, fault_words(hook)
    tells = hook.fault != WebhookFault.FORMER  # which may name what only the webhook's page shows
    if last and tells and hook.reason == WebhookReason.FAILING:
        why = f"{why} ({last[0].lower()}{last[1:]})"
    return AlertFinding(
        AlertKind.WEBHOOK_DISABLED,
        subject=hook.pk,
        about=hook.pk,  # not its name: who sees alerts need not see webhooks
        summary=f"{why}: it is told of nothing until somebody enables it again",
        project=hook.project_id,
    )
