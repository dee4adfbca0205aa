"""Kinds of audit events of streams and webhooks, and of trying what the instance is set up with.

What was delivered is none: streams and webhooks carry these events too, and would never come to
rest.
"""

from apps.audit.events import event_kind

INSTANCE_TRIED = event_kind("instance.tried", "Tried {what:word}: {outcome:word}")
STREAM_ADDED = event_kind("stream.added", "Added log forwarding as {format}")
STREAM_STARTED = event_kind("stream.started", "Started log forwarding from event {cursor}")
STREAM_PAUSED = event_kind("stream.paused", "Paused log forwarding at event {cursor}")
STREAM_REWOUND = event_kind(
    "stream.rewound", "Moved log forwarding from event {before} to {cursor}"
)
STREAM_TESTED = event_kind("stream.tested", "Sent a test event")
STREAM_REMOVED = event_kind("stream.removed", "Removed log forwarding at event {cursor}")
STREAM_FAILING = event_kind("stream.failing", "Log forwarding fails at event {cursor}")
STREAM_BLOCKED = event_kind(
    "stream.blocked", "Log forwarding is blocked: event {cursor} was refused"
)
STREAM_RECOVERED = event_kind("stream.recovered", "Log forwarding recovered at event {cursor}")
WEBHOOK_ADDED = event_kind("webhook.added", "Added a webhook")
WEBHOOK_CHANGED = event_kind(
    "webhook.changed",
    "Changed a webhook",
    fuller=("Changed a webhook, address {address:word}",),
    words={"address": ("changed", "kept")},
)
WEBHOOK_ENABLED = event_kind("webhook.enabled", "Enabled a webhook from event {cursor} on")
WEBHOOK_DISABLED = event_kind(
    "webhook.disabled",
    "Disabled a webhook: {reason:word}",
    words={"reason": ("asked", "changed", "gone", "failing", "revoked")},
)
WEBHOOK_ROTATED = event_kind("webhook.rotated", "Rotated the secret of a webhook")
WEBHOOK_TESTED = event_kind("webhook.tested", "Sent a test event to a webhook")
WEBHOOK_REDELIVERED = event_kind("webhook.redelivered", "Sent event {index} to a webhook again")
WEBHOOK_REMOVED = event_kind("webhook.removed", "Removed a webhook")
