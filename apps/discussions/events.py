"""Kinds of audit events of discussions. What people wrote stands in none of them: it is sealed."""

from apps.audit.events import event_kind

TEXTS = ("text_sealed", "name_sealed")
VERDICTS = ("safe", "unknown", "code-carrying", "malicious", "unscanned")
DISCUSSION_OPENED = event_kind(
    "discussion.opened",
    "Opened discussion {number}",
    seals=TEXTS,
    fuller=("Opened discussion {number} with {files:file}",),
)
DISCUSSION_REPLIED = event_kind(
    "discussion.replied",
    "Replied in discussion {number}",
    seals=TEXTS,
    fuller=("Replied in discussion {number} with {files:file}",),
)
DISCUSSION_EDITED = event_kind(
    "discussion.edited", "Edited a comment in discussion {number}", seals=TEXTS
)
DISCUSSION_REMOVED = event_kind("discussion.removed", "Deleted a comment in discussion {number}")
DISCUSSION_FILE_SCANNED = event_kind(
    "discussion.file_scanned",
    "Scanned a file in discussion {number}: {verdict}",
    words={"verdict": VERDICTS},
)
DISCUSSION_FILE_DELETED = event_kind(
    "discussion.file_deleted", "Deleted a file in discussion {number}"
)
DISCUSSION_RESOLVED = event_kind("discussion.resolved", "Resolved discussion {number}")
DISCUSSION_REOPENED = event_kind("discussion.reopened", "Reopened discussion {number}")
# What a page of the thing leaves to the thread and to the log: a long talk would push all else out.
TALK = tuple(
    kind.name
    for kind in (
        DISCUSSION_REPLIED,
        DISCUSSION_EDITED,
        DISCUSSION_REMOVED,
        DISCUSSION_FILE_SCANNED,
        DISCUSSION_FILE_DELETED,
    )
)
