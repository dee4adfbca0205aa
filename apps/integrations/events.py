"""Kinds of audit events of streams, and of trying what the instance is set up with.

A batch that was delivered is none: streams carry these events too, and would never come to rest.
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
