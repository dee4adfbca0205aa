"""What discussions refuse, each with its code."""

from placet.kernel.problems import Conflict, Forbidden, TooManyRequests


class OthersComment(Forbidden):
    """A comment is changed by who wrote it, and by nobody else."""

    code, title = "others_comment", "Somebody else wrote this comment"


class CommentDeleted(Conflict):
    """Its author deleted it: there is nothing left to change."""

    code, title = "comment_deleted", "The comment was deleted"


class ThreadResolved(Conflict):
    """A resolved thread takes no reply and no other text; what its author deletes goes."""

    code, title = "thread_resolved", "The discussion is resolved: reopen it to reply or edit"


class TooManyThreads(Conflict):
    """An object has as many threads as it may have."""

    code, title = "too_many_threads", "There are too many discussions here"


class ThreadFull(Conflict):
    """A thread has as many comments as it may have."""

    code, title = "thread_full", "The discussion is full"


class TooFast(TooManyRequests):
    """Somebody writes, resolves and reopens more than people do."""

    code, title = "too_many_comments", "You wrote or changed too much in a short time"


class FileWaits(Conflict):
    """Nobody gets a file before it was scanned, its author no more than others."""

    code, title = "file_waits", "The file is being scanned: try again in a moment"


class FileRemoved(Conflict):
    """Its bytes were removed after the scan."""

    code, title = "file_removed", "The file was removed after it was scanned"
