"""What a chat is told: an event as pages tell it, with a link to its page. Never what people wrote,
and no link that decides anything."""

from apps.audit.hooks import teller
from apps.audit.models import Event
from apps.audit.queries.events import entry_of
from apps.identity.queries import fresh_grants, scope_of
from apps.identity.rules.roles import grants_of
from apps.integrations.chat_messages import ChatMessage, message
from apps.integrations.models import Webhook, WebhookDelivery
from apps.integrations.rules import scope_holds
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.config import config

START = "audit.export"  # whoever lets events go out may take them out too
TEST = "This is a test: messages from Placet arrive here"


def chat_message_of(delivery: WebhookDelivery) -> ChatMessage | None:
    """Return what a chat is told by a delivery, in four queries at most; ``None`` when its event is
    no longer in the log, because it was archived."""
    hook = delivery.webhook
    if delivery.index is None:
        return message([TEST], _address(f"/webhooks/{hook.pk}/"))
    event = Event.objects.filter(index=delivery.index).first()
    if event is None or not scope_holds(hook.project_id, event.project):
        return None
    (told,) = teller()([entry_of(event)], reader_of(hook))
    about = "" if told.about_name == told.project_name else told.about_name
    return message(
        [told.project_name, told.sentence, about], _address(told.page or f"/audit/{event.index}/")
    )


def reader_of(hook: Webhook) -> Actor:
    """Return who reads a chat, as far as names go: whoever may take out the log that the webhook is
    told of knows them, and has let it be told."""
    return Actor("service", "", grants=grants_of([("auditor", hook.project_id, "")]))


def still_reads(hook: Webhook) -> bool:
    """Tell whether who enabled a chat may still take out the log that it is told of (a few queries,
    whatever is told): names are in it as they read them, and for as long as they may."""
    if hook.enabled_by == SYSTEM.id:
        return True
    held = fresh_grants(hook.enabled_by, lock=False)
    return any(one.permission == START and one.scope.covers(scope_of(hook)) for one in held)


def _address(path: str) -> str:
    return config().public_url.rstrip("/") + path
