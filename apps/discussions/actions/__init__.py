"""Every write of the app: opening, replying, editing, deleting, resolving; files; having read."""

from apps.discussions.actions.comments import delete_comment, edit_comment
from apps.discussions.actions.files import delete_file, forget_files, scan_again, settle_scan
from apps.discussions.actions.mentions import Unmentioned, named_elsewhere
from apps.discussions.actions.saying import Said, open_thread, reply
from apps.discussions.actions.threads import (
    forget_mentions,
    mark_seen,
    reopen_thread,
    resolve_thread,
)

__all__ = [
    "Said",
    "Unmentioned",
    "delete_comment",
    "delete_file",
    "edit_comment",
    "forget_files",
    "forget_mentions",
    "mark_seen",
    "named_elsewhere",
    "open_thread",
    "reopen_thread",
    "reply",
    "resolve_thread",
    "scan_again",
    "settle_scan",
]
