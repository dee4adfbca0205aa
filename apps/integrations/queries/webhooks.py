"""Webhooks as an actor may see them, what they are told next, and what was delivered."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet, Subquery

from apps.audit.kind_groups import GROUPS
from apps.audit.models import Event, LogHead
from apps.audit.names import origin
from apps.audit.queries import log_size
from apps.identity.queries import scope_of
from apps.identity.whole_projects import visible_whole
from apps.integrations.chat_messages import ChatMessage
from apps.integrations.formats import single, single_test
from apps.integrations.models import (
    OPEN_DELIVERIES,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryState,
    WebhookState,
)
from apps.integrations.queries.chats import chat_message_of
from apps.integrations.queries.streams import COLUMNS, leaf_of
from apps.integrations.webhook_secrets import is_behind
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import NotFound
from placet_protocol.secret_box import SealingKey

LOOK = 2000  # events that one look at the log takes


@dataclass(frozen=True, slots=True)
class WebhookNews:
    """Index and kind of the events that a webhook is told of next, and where the next look at the
    log begins."""

    events: list[tuple[int, str]]
    next: int


def visible_webhooks(actor: Actor) -> QuerySet[Webhook]:
    """Return the webhooks of the projects, or of the instance, where ``actor`` sees them."""
    return visible_whole(Webhook.objects.select_related("project"), actor, view="stream.view")


def get_webhook(webhook_id: str, actor: Actor) -> Webhook:
    """Return one webhook, or raise :class:`NotFound`."""
    webhook = visible_webhooks(actor).filter(pk=webhook_id).first()
    if webhook is None:
        raise NotFound
    return webhook


def visible_deliveries(webhook: Webhook, actor: Actor) -> QuerySet[WebhookDelivery]:
    """Return what ``webhook`` was sent, or waits to be, if ``actor`` sees it."""
    rows = WebhookDelivery.objects.filter(webhook__in=visible_webhooks(actor).filter(pk=webhook.pk))
    return rows.select_related("webhook__project")


def get_delivery(webhook_id: str, delivery_id: str, actor: Actor) -> WebhookDelivery:
    """Return one delivery of a webhook, or raise :class:`NotFound`."""
    hook = get_webhook(webhook_id, actor)
    delivery = visible_deliveries(hook, actor).filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFound
    return delivery


def last_of(webhook: Webhook, limit: int = 20) -> list[WebhookDelivery]:
    """Return the last deliveries, newest first."""
    return list(webhook.deliveries.order_by("-pk")[:limit])


def attempts_of(delivery: WebhookDelivery) -> list[WebhookAttempt]:
    """Return the attempts that are kept, newest first."""
    return list(delivery.tried.order_by("-pk"))


def reads_answers(delivery: WebhookDelivery, actor: Actor) -> bool:
    """Tell whether ``actor`` reads what the receiver answered: it may repeat the event that it was
    sent, which is for who reads the log. A test holds nothing of that."""
    return delivery.index is None or actor.can("audit.view", scope_of(delivery.webhook))


def webhooks_behind() -> QuerySet[Webhook]:
    """Return the webhooks that have not been told of everything that is in the log."""
    size = Subquery(LogHead.objects.values("size")[:1])
    return Webhook.objects.filter(state=WebhookState.ENABLED, cursor__lt=size).order_by("pk")


def anything_to_tell() -> list[QuerySet[Any]]:
    """Return what there is to make deliveries of, and to send."""
    return [webhooks_behind(), due_deliveries()]


def waiting(webhook: Webhook) -> int:
    """Return how many deliveries are not settled."""
    return webhook.deliveries.filter(state__in=OPEN_DELIVERIES).count()


def waiting_of(webhooks: Iterable[Webhook]) -> dict[str, int]:
    """Return the same by webhook, of those that have any (one query)."""
    rows = WebhookDelivery.objects.filter(webhook__in=list(webhooks), state__in=OPEN_DELIVERIES)
    counts = rows.values_list("webhook").annotate(count=Count("pk")).order_by()
    return dict(counts)


def news(webhook: Webhook, room: int) -> WebhookNews:
    """Return what ``webhook`` is told of next, at most ``room`` events."""
    size = log_size()
    rows = Event.objects.filter(index__gte=webhook.cursor, index__lt=size).order_by("index")
    if webhook.project_id is not None:
        rows = rows.filter(project=webhook.project_id)
    seen = list(rows.values_list("index", "kind")[:LOOK])
    following = seen[-1][0] + 1 if len(seen) == LOOK else size
    wanted = [(index, kind) for index, kind in seen if tells(webhook, kind)]
    if len(wanted) > room:
        wanted = wanted[:room]
        following = wanted[-1][0] + 1
    return WebhookNews(wanted, following)


def tells(webhook: Webhook, kind: str) -> bool:
    """Tell whether ``webhook`` is told of events of ``kind``."""
    if not webhook.groups:
        return True
    groups = (GROUPS[name] for name in webhook.groups if name in GROUPS)
    return any(kind.split(".")[0] in group.families for group in groups)


def due_deliveries() -> QuerySet[WebhookDelivery]:
    """Return what is to be sent now: what waits, and what somebody began to send who is gone.

    A test is sent in whatever state the webhook is.
    """
    at = now()
    due = Q(state=WebhookDeliveryState.WAITING, next_at__lte=at) | Q(
        state=WebhookDeliveryState.SENDING, lease_until__lt=at
    )
    told = Q(webhook__state=WebhookState.ENABLED) | Q(index=None)
    return WebhookDelivery.objects.filter(due, told)


def webhooks_due() -> list[tuple[str, str | None]]:
    """Return the webhooks that something is to be sent to now, each with its project."""
    rows = due_deliveries().values_list("webhook", "webhook__project").distinct()
    return list(rows.order_by("webhook"))


def webhooks_behind_key(key: SealingKey) -> list[str]:
    """Return the webhooks that keep something encrypted for another key, or that signs no more."""
    kept = ~Q(former_signing="") | ~Q(older_formers=[])
    signs = ~Q(signing="") & ~Q(signing__startswith=key.mark)
    other = ~Q(address__startswith=key.mark) | signs
    rows, at = Webhook.objects.filter(other | kept).order_by("pk"), now()
    return [row.pk for row in rows.iterator() if is_behind(row, key, at)]


def message_of(delivery: WebhookDelivery) -> bytes | ChatMessage | None:
    """Return the body of a delivery, the same at each attempt, or what a chat is told; ``None``
    when its event is no longer in the log, because it was archived."""
    if delivery.webhook.is_chat:
        return chat_message_of(delivery)
    if delivery.index is None:
        return single_test(delivery.pk, origin())
    row = Event.objects.only(*COLUMNS).filter(index=delivery.index).first()
    leaf = leaf_of(row, delivery.webhook.project_id) if row else None
    return single(leaf, origin()) if leaf and leaf.body is not None else None
