"""The append-only log: events, tiles of interior hashes, signed checkpoints, sealed text."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Func, TextField, Value
from django.db.models.functions import Cast


class _Member(Func):
    """``body::jsonb ->> name``."""

    template = "((%(expressions)s))"
    arg_joiner = "->>"
    output_field = TextField()

    def __init__(self, name: str) -> None:
        super().__init__(Cast(F("body"), models.JSONField()), Value(name))


def member(name: str) -> models.GeneratedField:
    """A searchable column generated from the hashed body, so that the two cannot differ."""
    return models.GeneratedField(
        expression=_Member(name), output_field=TextField(), db_persist=True
    )


class Event(models.Model):
    """One leaf. ``body`` is RFC 8785 canonical JSON; ``leaf_hash`` is SHA-256(0x00 ‖ body)."""

    index = models.BigIntegerField(primary_key=True)
    body = models.TextField()
    leaf_hash = models.BinaryField(max_length=32)
    kind = member("kind")
    at = member("at")
    actor_id = member("actor_id")
    subject = member("subject")
    project = member("project")
    environment = member("environment")

    class Meta:
        ordering = ["index"]
        indexes = [
            models.Index(fields=["subject", "index"], name="audit_event_subject"),
            models.Index(fields=["project", "index"], name="audit_event_project"),
            models.Index(fields=["actor_id", "index"], name="audit_event_actor"),
            models.Index(fields=["kind", "index"], name="audit_event_kind"),
            models.Index(fields=["at"], name="audit_event_at"),
        ]


class LogHead(models.Model):
    """The single row that serialises appends: the next index. Locked last in every transaction."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_one_head")]


class Tile(models.Model):
    """256 hashes of one level of the tree (C2SP tlog-tiles); written by a job when full."""

    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hashes = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["level", "index"], name="audit_tile_place")]


class Checkpoint(models.Model):
    """A signed tree head (C2SP tlog-checkpoint note), made by a job."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField(max_length=32)
    note = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)


class PersonKey(models.Model):
    """The key that a person's sealed texts are encrypted with. An empty key means erased."""

    person_id = models.CharField(max_length=40, primary_key=True)
    key = models.BinaryField(max_length=32)


class SealedText(models.Model):
    """Text that the log and the signed statements know only as ``SHA-256(salt ‖ text)``."""

    commitment = models.CharField(max_length=71, primary_key=True)
    person_id = models.CharField(max_length=40, db_index=True)
    ciphertext = models.BinaryField()


class Audited(models.Model):
    """Base of every row whose whole state goes into the log.

    ``LOG_SEALED`` columns are logged as commitments (free text, names, addresses); ``LOG_HIDDEN``
    columns are secrets or derived values and are left out. ``project_scope`` and
    ``environment_scope`` say who may read the event.
    """

    LOG_SEALED: ClassVar[frozenset[str]] = frozenset()
    LOG_HIDDEN: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        abstract = True

    def project_scope(self) -> str | None:
        """Return the id of the project this row belongs to, ``None`` for the instance."""
        value: str | None = getattr(self, "project_id", None)
        return value

    def environment_scope(self) -> str | None:
        """Return the name of the environment this row belongs to, if any."""
        return None
