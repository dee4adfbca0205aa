"""Every write of the app: streams and webhooks as people set them up, what comes of sending, and
trying out."""

from apps.integrations.actions.calls import called, claim, prune, spread, unsent
from apps.integrations.actions.delivering import delivered, fell_through, smaller, tested
from apps.integrations.actions.resealing import reseal
from apps.integrations.actions.streams import (
    add_stream,
    ask_for_test,
    pause_stream,
    remove_stream,
    resume_stream,
    rewind_stream,
)
from apps.integrations.actions.trying import try_out
from apps.integrations.actions.webhook_asks import ask_for_webhook_test, redeliver
from apps.integrations.actions.webhooks import (
    GivenWebhook,
    add_webhook,
    change_webhook,
    disable_webhook,
    enable_webhook,
    remove_webhook,
    rotate_webhook,
)

__all__ = [
    "GivenWebhook",
    "add_stream",
    "add_webhook",
    "ask_for_test",
    "ask_for_webhook_test",
    "called",
    "change_webhook",
    "claim",
    "delivered",
    "disable_webhook",
    "enable_webhook",
    "fell_through",
    "pause_stream",
    "prune",
    "redeliver",
    "remove_stream",
    "remove_webhook",
    "reseal",
    "resume_stream",
    "rewind_stream",
    "rotate_webhook",
    "smaller",
    "spread",
    "tested",
    "try_out",
    "unsent",
]
