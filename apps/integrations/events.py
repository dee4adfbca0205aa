"""Kinds of audit events of streams, and of trying what the instance is set up with.

A batch that was delivered is none: streams carry these events too, and would never come to rest.
"""

from apps.audit.events import event_kind

INSTANCE_TRIED = event_kind("instance.tried", "Tried {what:word}: {outcome:word}")
STREAM_ADDED = event_kind("stream.added", "Added a stream of the audit log, as {format}")
STREAM_STARTED = event_kind("stream.started", "Had the audit log sent, from event {cursor} on")
STREAM_PAUSED = event_kind("stream.paused", "Paused a stream at event {cursor}")
STREAM_REWOUND = event_kind("stream.rewound", "Moved a stream from event {before} to {cursor}")
STREAM_TESTED = event_kind("stream.tested", "Had a test event sent")
STREAM_REMOVED = event_kind("stream.removed", "Removed a stream at event {cursor}")
STREAM_FAILING = event_kind("stream.failing", "A stream gets nothing through at event {cursor}")
STREAM_BLOCKED = event_kind("stream.blocked", "A stream was refused event {cursor} and waits")
STREAM_RECOVERED = event_kind("stream.recovered", "A stream gets through again, at {cursor}")
