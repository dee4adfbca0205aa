"""Webhooks and what they were sent, as their pages show them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from apps.audit.kind_groups import GROUPS
from apps.console.queries.actor_names import actor_names
from apps.console.queries.models import projects_of
from apps.console.queries.page_parts import Banner, Button, Sign
from apps.console.queries.paging import keyed, newest
from apps.console.templatetags.placet import number, sees_a_part
from apps.integrations.chat_messages import ChatMessage
from apps.integrations.chats import CHATS, Chat
from apps.integrations.models import (
    BY_ITSELF,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryState,
    WebhookReason,
    WebhookService,
    WebhookState,
)
from apps.integrations.queries import (
    attempts_of,
    chat_message_of,
    get_delivery,
    get_webhook,
    reads_answers,
    tells,
    visible_deliveries,
    visible_webhooks,
    waiting_of,
)
from apps.integrations.standing import (
    DeliveryStanding,
    WebhookStanding,
    delivery_standing,
    delivery_words,
    failing_since,
    fault_detail,
    fault_words,
    log_of,
    standing_of,
    to_enable,
)
from apps.integrations.webhook_secrets import formers
from placet.kernel.actor import Actor, Scope
from placet.kernel.clock import now

DELIVERIES = 20  # on one page
CHOICES = tuple((name, group.title) for name, group in GROUPS.items())
SERVICES = tuple((one.value, one.label) for one in WebhookService)


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook in the list."""

    webhook: Webhook
    waiting: int

    @property
    def state(self) -> str:
        """What it does now."""
        return standing_of(self.webhook)

    @property
    def last_error(self) -> str:
        """What the last attempt came to; nothing where it got through."""
        return fault_words(self.webhook)

    @property
    def failing_since(self) -> datetime | None:
        """Since when nothing has got through."""
        return failing_since(self.webhook)

    @property
    def told(self) -> str:
        """Of what it is told, in words."""
        titles = [GROUPS[name].title for name in self.webhook.groups if name in GROUPS]
        return "; ".join(titles) or "All events"

    @property
    def where(self) -> str:
        """Where that goes, as far as it is shown."""
        hook = self.webhook
        chat = f"{hook.get_service_display()}, " if hook.is_chat else ""
        return chat + hook.origin.removeprefix("https://" if hook.is_chat else "")


@dataclass(frozen=True, slots=True)
class WebhookListPage:
    """All that the page of webhooks shows."""

    rows: list[WebhookRow]
    key: str  # to go on after
    may_add: bool
    may_enable: bool
    projects: list[tuple[str, str]]
    partial: bool = False  # whether there may be others that the reader does not see
    services: tuple[tuple[str, str], ...] = SERVICES
    chats: tuple[Chat, ...] = tuple(CHATS.values())
    groups: tuple[tuple[str, str], ...] = CHOICES

    @property
    def empty_title(self) -> str:
        """What an empty page says."""
        return "No webhooks that you may see" if self.partial else "No webhooks"


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """One delivery of a webhook."""

    delivery: WebhookDelivery

    @property
    def what(self) -> str:
        """What is sent."""
        index = self.delivery.index
        return "Test" if index is None else f"Event {number(index)}"

    @property
    def sign(self) -> Sign:
        """What became of it."""
        standing = delivery_standing(self.delivery)
        match standing:
            case DeliveryStanding.DELIVERED:
                return Sign("pass", "✓", "Delivered")
            case DeliveryStanding.FAILED:
                return Sign("fail", "✕", "Failed")
        return Sign("wait", "◷", standing.capitalize())

    @property
    def waits(self) -> bool:
        """Whether it is tried again by itself."""
        return self.delivery.state == WebhookDeliveryState.WAITING

    @property
    def error(self) -> str:
        """Why it did not get through, in short sentences."""
        return delivery_words(self.delivery)


@dataclass(frozen=True, slots=True)
class WebhookPage:
    """All that the page of one webhook shows."""

    row: WebhookRow
    actor: Actor
    deliveries: list[DeliveryLine]
    key: str  # to go on before
    names: dict[str, str]
    groups: tuple[tuple[str, str], ...] = CHOICES

    def may(self, permission: str) -> bool:
        """Tell whether the reader holds ``permission`` at the webhook."""
        return self.actor.can(permission, Scope(self.row.webhook.project_scope()))

    @property
    def may_manage(self) -> bool:
        """Whether the reader may change or remove it."""
        return self.may("stream.manage")

    @property
    def may_enable(self) -> bool:
        """Whether the reader may have it told of events."""
        return self.may("audit.export")

    @property
    def buttons(self) -> list[Button]:
        """What the reader can do with it now."""
        return list(buttons(self))

    @property
    def banners(self) -> list[Banner]:
        """Why it is told of nothing."""
        hook = self.row.webhook
        who = to_enable(hook)
        if not who:
            return []
        who = f"{who[0].lower()}{who[1:]}"
        if self.may_enable:
            who = f"enable it, as anybody can with permission to export {log_of(hook)}"
        if self.row.state == WebhookStanding.NOT_ENABLED:
            return [Banner("info", f"Not enabled yet, and told of nothing: {who}.")]
        text = f"{self.disabled}. To go on, {who}."
        return [Banner("danger" if hook.reason in BY_ITSELF else "info", text)]

    @property
    def disabled(self) -> str:
        """Who disabled it, and why."""
        hook = self.row.webhook
        name = self.names.get(hook.disabled_by, "")
        if name and hook.reason == WebhookReason.ASKED:
            return f"Disabled by {name}"
        why = WebhookReason(hook.reason).label
        return f"Disabled{f' by {name}' if name else ''}: {why[0].lower()}{why[1:]}"

    @property
    def formers_until(self) -> list[datetime]:
        """Until when each of the former keys signs beside those in use, the last first."""
        found = formers(self.row.webhook, now())
        return [datetime.fromisoformat(one["until"]) for one in found]

    @property
    def scope(self) -> str:
        """Whose events it is told of."""
        project = self.row.webhook.project
        return project.name if project else "The whole instance"

    @property
    def removal(self) -> str:
        """What stands above the dialog that removes it."""
        return f"Remove {self.row.webhook.name}?"


def buttons(page: WebhookPage) -> Iterator[Button]:
    """Yield what the reader can do with a webhook now, the usual thing last."""
    hook = page.row.webhook

    def address(verb: str) -> str:
        return reverse("webhook-do", args=[hook.pk, verb])

    if page.may_manage:
        yield Button("Send a test", post=address("test"))
        yield Button("Change…", dialog="change")
        if not hook.is_chat:
            yield Button("Rotate secret…", dialog="rotate")
        if hook.state == WebhookState.ENABLED:
            yield Button("Disable", post=address("disable"))
        yield Button("Remove…", dialog="remove", tone="outline-danger")
    if hook.state != WebhookState.ENABLED and page.may_enable:
        seen = str(hook.generation)
        yield Button("Enable", post=address("enable"), tone="primary", generation=seen)


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt at a delivery."""

    attempt: WebhookAttempt

    @property
    def sign(self) -> Sign:
        """What came of it."""
        status = self.attempt.status
        if not self.attempt.fault:
            return Sign("pass", "✓", str(status))
        return Sign("fail", "✕", str(status) if status else "No answer")

    @property
    def error(self) -> str:
        """What went wrong, in a short sentence."""
        return fault_words(self.attempt)

    @property
    def detail(self) -> str:
        """What is known of it beside that."""
        return fault_detail(self.attempt)

    @property
    def details(self) -> str:
        """What is folded away of it."""
        return "Request headers and answer" if self.attempt.status else "Request headers"

    @property
    def said(self) -> str:
        """What is said in place of an answer's text."""
        if self.attempt.status:
            return "The answer was empty."
        return "No answer came, and the receiver may not have been reached."

    @property
    def sent(self) -> str:
        """The headers of the request, one on a line."""
        return "\n".join(f"{name}: {value}" for name, value in self.attempt.headers.items())


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """All that the page of one delivery shows."""

    line: DeliveryLine
    actor: Actor
    attempts: list[AttemptRow]
    message: ChatMessage | None = None  # what a chat is told, for who reads what it answered

    @property
    def named(self) -> str:
        """What its id is called: a program is sent it."""
        return "Delivery ID" if self.line.delivery.webhook.is_chat else "webhook-id"

    @property
    def reads_answers(self) -> bool:
        """Whether the reader is shown what the receiver answered."""
        return reads_answers(self.line.delivery, self.actor)

    @property
    def buttons(self) -> list[Button]:
        """What the reader can do with it now."""
        delivery = self.line.delivery
        hook = delivery.webhook
        ready = hook.state == WebhookState.ENABLED and delivery.index is not None
        if not ready or not tells(hook, delivery.kind):
            return []
        if not self.actor.can("stream.manage", Scope(hook.project_scope())):
            return []
        text = "Retry now" if self.line.waits else "Send again"
        return [Button(text, post=reverse("webhook-redeliver", args=[hook.pk, delivery.pk]))]


def webhook_list_page(actor: Actor, *, after: str = "") -> WebhookListPage:
    """Return one page of webhooks by name."""
    rows, key = keyed(visible_webhooks(actor), ("name", "id"), after)
    counts = waiting_of(rows)
    return WebhookListPage(
        rows=[WebhookRow(row, counts.get(row.pk, 0)) for row in rows],
        key=key,
        may_add=actor.can_somewhere("stream.manage"),
        may_enable=actor.can_somewhere("audit.export"),
        projects=[(project.slug, project.name) for project in projects_of(actor)],
        partial=sees_a_part(actor, "stream.view"),
    )


def webhook_page(webhook_id: str, actor: Actor, *, after: str = "") -> WebhookPage:
    """Return one webhook with a page of its deliveries, or raise :class:`NotFound`."""
    hook = get_webhook(webhook_id, actor)
    rows, key = newest(visible_deliveries(hook, actor), after, DELIVERIES)
    names = actor_names({hook.created_by, hook.enabled_by, hook.disabled_by} - {""})
    count = waiting_of([hook]).get(hook.pk, 0)
    lines = [DeliveryLine(row) for row in rows]
    return WebhookPage(WebhookRow(hook, count), actor, lines, key, names)


def delivery_page(webhook_id: str, delivery_id: str, actor: Actor) -> DeliveryPage:
    """Return one delivery with its attempts, or raise :class:`NotFound`."""
    delivery = get_delivery(webhook_id, delivery_id, actor)
    attempts = [AttemptRow(attempt) for attempt in attempts_of(delivery)]
    shown = delivery.webhook.is_chat and reads_answers(delivery, actor)
    told = chat_message_of(delivery) if shown else None
    return DeliveryPage(DeliveryLine(delivery), actor, attempts, told)
