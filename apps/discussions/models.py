"""Threads, what people said in them, and who was mentioned."""

from django.db import models
from django.db.models import Q

from apps.audit.models import Audited
from apps.identity.models import User
from placet.kernel.ids import IdField


class Thread(Audited):
    """One matter that people discuss about one thing: open until somebody resolves it.

    ``kind``, ``subject`` and ``project`` are text: the things belong to apps above.
    """

    LOG_SEALED = frozenset({"anchor"})  # the name of a metric is whatever its reporter wrote
    LOG_HIDDEN = frozenset({"title"})

    id = IdField("thr")
    kind = models.CharField(max_length=20)
    subject = models.CharField(max_length=40)
    project = models.CharField(max_length=40, blank=True)  # its id
    environment = models.CharField(max_length=40, blank=True)  # its name
    title = models.CharField(max_length=300)  # of what is discussed, when it was opened
    number = models.PositiveIntegerField()  # counts the threads of one thing
    anchor = models.CharField(max_length=120, blank=True)
    opened_by = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)
    size = models.PositiveIntegerField(default=0)  # comments, deleted ones too
    said_at = models.DateTimeField()  # when the last of them was written
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name = "discussion"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject", "number"], name="discussions_thread_number"
            )
        ]
        indexes = [
            models.Index(fields=["kind", "subject", "-said_at"], name="discussions_thread_said")
        ]

    def project_scope(self) -> str | None:
        """A thread belongs to the project of what it is about."""
        return self.project or None

    def environment_scope(self) -> str | None:
        """And to its environment, if that has one."""
        return self.environment or None

    @property
    def is_resolved(self) -> bool:
        """Whether somebody said that the matter is settled."""
        return self.resolved_at is not None


class Comment(Audited):
    """What somebody said in a thread; the Markdown itself is sealed under their key.

    ``person`` is who answers for the author. ``once`` is what a form sends with it, so that a form
    that is sent twice says it once.
    """

    LOG_HIDDEN = frozenset({"once"})

    id = IdField("tcm")
    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="comments")
    author = models.CharField(max_length=40)
    person = models.CharField(max_length=40)
    text_sealed = models.CharField(max_length=71, blank=True)  # '' once its author deleted it
    once = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "discussion comment"
        constraints = [
            models.UniqueConstraint(
                fields=["person", "once"], condition=~Q(once=""), name="discussions_said_once"
            )
        ]
        indexes = [
            models.Index(fields=["thread", "id"], name="discussions_comment_thread"),
            models.Index(fields=["person", "created_at"], name="discussions_comment_person"),
        ]

    def project_scope(self) -> str | None:
        """A comment belongs where its thread does."""
        return self.thread.project_scope()

    def environment_scope(self) -> str | None:
        """A comment belongs where its thread does."""
        return self.thread.environment_scope()


class CommentFile(Audited):
    """A file that somebody sent with a comment; what it is called is sealed under their key.

    Its bytes are a :class:`FileContent`. ``commitment`` is that of these, ``type`` what they are,
    whatever they are called; ``verdict`` is '' until they were scanned.
    """

    id = IdField("tcf")
    comment = models.ForeignKey(Comment, on_delete=models.PROTECT, related_name="files")
    person = models.CharField(max_length=40)
    name_sealed = models.CharField(max_length=71, blank=True)  # '' once its author deleted it
    commitment = models.CharField(max_length=71)
    size = models.PositiveIntegerField()
    type = models.CharField(max_length=40)
    verdict = models.CharField(max_length=20, blank=True)
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "file of a comment"

    def project_scope(self) -> str | None:
        """A file belongs where its comment does."""
        return self.comment.project_scope()

    def environment_scope(self) -> str | None:
        """A file belongs where its comment does."""
        return self.comment.environment_scope()


class FileContent(models.Model):
    """The bytes of a file, and what the scanner found in them, encrypted under the key of who sent
    it: gone once the file, its comment or what is discussed was deleted. Of what is dangerous only
    ``found`` stays.

    It is not logged: the row of the file holds what its bytes are committed to.
    """

    file = models.OneToOneField(
        CommentFile, primary_key=True, on_delete=models.CASCADE, related_name="content"
    )
    project = models.CharField(max_length=40, blank=True)  # whose quota they count for
    size = models.PositiveIntegerField()  # of what is kept, before it was encrypted
    ciphertext = models.BinaryField()
    found = models.BinaryField(default=b"")

    class Meta:
        indexes = [models.Index(fields=["project"], name="discussions_file_project")]


class Mention(models.Model):
    """A person whom a comment mentions, and when they opened the thread since then.

    It is not logged: the text says it, and what somebody has read is nobody else's matter.
    """

    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="mentions")
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="mentions")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["comment", "person"], name="discussions_mentioned_once")
        ]
        indexes = [
            models.Index(
                fields=["person", "thread"],
                name="discussions_mention_unseen",
                condition=Q(seen_at=None),
            )
        ]
