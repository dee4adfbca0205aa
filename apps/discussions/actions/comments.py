"""Changing one's own comments, and deleting them."""

from apps.audit.actions import record, seal
from apps.discussions.actions.files import drop_files
from apps.discussions.actions.locking import hold_comment, hold_to_delete, refuse_too_fast
from apps.discussions.actions.mentions import handles_of, mention
from apps.discussions.actions.saying import Said
from apps.discussions.actions.telling import tell
from apps.discussions.errors import CommentDeleted, OthersComment, ThreadResolved
from apps.discussions.events import DISCUSSION_EDITED, DISCUSSION_REMOVED
from apps.discussions.models import Comment
from apps.discussions.queries import may_delete, may_edit
from apps.discussions.rules import TEXT_LIMIT
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.problems import Stale
from placet.kernel.texts import clean_text


def edit_comment(comment: Comment, *, text: str, actor: Actor) -> Said:
    """Put another text in place of one's own, as it was when ``comment`` was read.

    Pages show the new one alone. The log keeps the commitment of either, and beside it the texts
    until their author is erased.
    """
    words = clean_text("text", text, limit=TEXT_LIMIT)
    handles = handles_of(words)
    with record(actor) as log:
        row = hold_comment(comment, actor)
        if not may_edit(row, actor):
            raise OthersComment
        if row.deleted_at:
            raise CommentDeleted
        if row.thread.is_resolved:
            raise ThreadResolved
        if row.text_sealed != comment.text_sealed:
            raise Stale
        refuse_too_fast(actor)
        row.text_sealed = seal(words, person=row.person)
        row.edited_at = now()
        row.save(update_fields=["text_sealed", "edited_at"])
        tell(log, DISCUSSION_EDITED, row.thread, row)
        return Said(row, mention(row, handles, actor))


def delete_comment(comment: Comment, *, actor: Actor) -> Comment:
    """Take one's own text off the thread, or that of a program one answers for, and delete its
    files, as long as one sees it; that something stood there stays. A repeat does nothing."""
    with record(actor) as log:
        row = hold_to_delete(comment, actor)
        if not may_delete(row, actor):
            raise OthersComment
        if row.deleted_at:
            return row
        row.text_sealed, row.deleted_at = "", now()
        row.save(update_fields=["text_sealed", "deleted_at"])
        row.mentions.all().delete()
        tell(log, DISCUSSION_REMOVED, row.thread, row, *drop_files(row))
        return row
