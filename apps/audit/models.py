"""The append-only log: events, tiles, signed checkpoints, sealed text; its witnesses and time
stamps."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Cast

from apps.audit.kind_groups import ASKED_FOR, CHANGED, DECIDED
from placet.kernel.clock import now
from placet.kernel.ids import IdField


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


def _beginning(name: str, mark: str) -> Func:
    """Return what stands before the first ``mark`` in a column, as it is indexed."""
    parts = F(name), Value(mark), Value(1)
    return Func(*parts, function="split_part", output_field=TextField())


def logged(name: str) -> Func:
    """Return what an event says by a name in its ``data``, as it is indexed."""
    parts = Cast(F("body"), models.JSONField()), Value("data"), Value(name)
    return Func(*parts, function="jsonb_extract_path_text", output_field=TextField())


# the id of the person who answers for what was done
ACCOUNTABLE = Func(
    Cast(F("body"), models.JSONField()),
    Value("actor"),
    Value("accountable"),
    function="jsonb_extract_path_text",
    output_field=TextField(),
)
FAMILY, ACTOR_PREFIX = _beginning("kind", "."), _beginning("actor_id", "_")  # ``release``, ``per``
VERDICT, STATE, ASKED_BY = logged("verdict"), logged("state"), logged("asked_by")


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
            models.Index(FAMILY, "index", name="audit_event_family"),
            models.Index(ACTOR_PREFIX, "index", name="audit_event_actor_prefix"),
            models.Index(fields=["at"], name="audit_event_at"),
            models.Index("project", FAMILY, "index", name="audit_event_project_family"),
            models.Index(VERDICT, "index", name="audit_event_verdict", condition=Q(kind=DECIDED)),
            models.Index(STATE, "index", name="audit_event_state", condition=Q(kind=CHANGED)),
            models.Index(
                ASKED_BY,
                "index",
                name="audit_event_asked_by",
                condition=Q(kind__in=ASKED_FOR),
            ),
        ]


class LogHead(models.Model):
    """The single row that serialises appends: the next index, and the time of the last event (null
    while only an earlier release has appended). Locked last in every transaction."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)
    at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="audit_one_head")]


class Tile(models.Model):
    """256 hashes of one level of the tree (C2SP tlog-tiles); written by a job when full.

    ``root`` is what stands for them one level above: a proof over the newest tiles needs no more.
    Tiles of earlier releases have none.
    """

    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hashes = models.BinaryField()
    root = models.BinaryField(max_length=32, null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["level", "index"], name="audit_tile_place")]


class Checkpoint(models.Model):
    """A signed tree head (C2SP tlog-checkpoint note), made by a job."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField(max_length=32)
    note = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)


class VerifiedHead(models.Model):
    """The single row that says up to where the log was verified as it grew, when, and the fault
    that was found behind that.

    The next such check starts there, if our key signed that head: a row moved forward to another
    signed head hides what it skips, until the next check of the whole log, which reads no row of
    this.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)
    root = models.BinaryField(max_length=32)
    at = models.DateTimeField()
    fault = models.TextField(blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="audit_one_verified_head")]


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
    columns are secrets or derived values and are left out. ``LOG_OWNER`` is the column of the
    person whose the texts of a row are, where that is not who wrote them. ``project_scope`` and
    ``environment_scope`` say who may read the event.
    """

    LOG_SEALED: ClassVar[frozenset[str]] = frozenset()
    LOG_HIDDEN: ClassVar[frozenset[str]] = frozenset()
    LOG_OWNER: ClassVar[str] = ""

    class Meta:
        abstract = True

    def project_scope(self) -> str | None:
        """Return the id of the project this row belongs to, ``None`` for the instance."""
        value: str | None = getattr(self, "project_id", None)
        return value

    def environment_scope(self) -> str | None:
        """Return the name of the environment this row belongs to, if any."""
        return None


class WitnessKind(models.TextChoices):
    """How a witness is reached."""

    HTTP = "http", "Co-signs over HTTP"  # C2SP tlog-witness: another Placet, or any other
    FILE = "file", "Keeps files"  # a folder of another machine or medium
    S3 = "s3", "Keeps locked objects"  # a bucket with object lock


class Witness(Audited):
    """Somebody outside who is shown our checkpoints, and so notices when the log is not the same.

    ``address`` is the prefix before ``/add-checkpoint``, the name of a folder below
    ``PLACET_WITNESS_DIR``, or ``s3://bucket/prefix``. ``key`` is the verifier key (C2SP) of one
    that co-signs; the others keep what they are given for ``retain_days``.
    """

    id = IdField("wit")
    name = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=8, choices=WitnessKind.choices)
    address = models.CharField(max_length=500)
    key = models.CharField(max_length=300, blank=True)
    retain_days = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)


class WitnessFault(models.TextChoices):
    """What a witness shows about our log."""

    NONE = "", ""
    AHEAD = "ahead", "It saw more events than this database has"
    FORKED = "forked", "It saw another history"


class WitnessState(models.Model):
    """How far a witness has come: a measurement, made again by every push, and so not logged."""

    witness = models.OneToOneField(
        Witness, primary_key=True, on_delete=models.CASCADE, related_name="state"
    )
    size = models.BigIntegerField(default=0)  # of the last checkpoint that it took
    seen_at = models.DateTimeField(null=True, blank=True)  # when it took that
    asked_at = models.DateTimeField(null=True, blank=True)  # when it last answered
    fault = models.CharField(max_length=8, choices=WitnessFault.choices, blank=True)
    sentence = models.TextField(blank=True)  # of the fault
    attempts = models.IntegerField(default=0)  # that failed since the last that did not
    error = models.TextField(blank=True)
    next_at = models.DateTimeField(default=now)


class Cosignature(models.Model):
    """A witness's signature on one of our checkpoints, checked when it came. Outlives the row of
    the witness; it vouches for itself."""

    size = models.BigIntegerField()
    key = models.CharField(max_length=300)
    line = models.TextField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["size", "key"], name="audit_cosigned_once")]


class WitnessedLog(Audited):
    """A log of others whose checkpoints this installation cosigns, and a key that it signs with."""

    id = IdField("wlg")
    origin = models.CharField(max_length=200)
    key = models.CharField(max_length=300, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)


class WitnessedHead(models.Model):
    """The newest checkpoint of a log of others that was cosigned here; it only ever grows.

    Moved by compare-and-set, and kept when the log is witnessed no more: who is asked again later
    must remember. ``fork`` is the proof that the log shows two histories: the other checkpoint.
    """

    origin = models.CharField(max_length=200, primary_key=True)
    size = models.BigIntegerField(default=0)
    root = models.BinaryField(max_length=32)
    note = models.TextField(blank=True)
    cosigned_at = models.DateTimeField(null=True, blank=True)
    fork = models.TextField(blank=True)


class Timestamp(models.Model):
    """An authority's word (RFC 3161) that a checkpoint existed at a time, checked when it came.

    ``token`` is in the form that ``placet_verify.time.timestamp`` keeps; ``anchor`` (DER) is the
    pinned certificate that it led to. Rows are added and nothing else.
    """

    size = models.BigIntegerField()
    authority = models.CharField(max_length=40)
    at = models.DateTimeField()
    token = models.BinaryField()
    anchor = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["size", "authority"], name="audit_stamped_once")
        ]


class TimestampState(models.Model):
    """How far an authority that the settings name has come: a measurement, and so not logged."""

    authority = models.CharField(max_length=40, primary_key=True)
    size = models.BigIntegerField(default=0)  # of the newest checkpoint that it stamped
    at = models.DateTimeField(null=True, blank=True)  # what it said
    created_at = models.DateTimeField(auto_now_add=True)
    fault = models.CharField(max_length=8, blank=True)  # '', 'late' or 'clock'
    sentence = models.TextField(blank=True)  # of the fault
    attempts = models.IntegerField(default=0)  # that failed since the last that did not
    error = models.TextField(blank=True)
    next_at = models.DateTimeField(default=now)


class Archive(Audited):
    """Old events whose bodies were moved into a file: which, and the file by its digest.

    Written by the role that owns the tables, and never changed. ``leaves`` is the digest of the
    indexes and leaf hashes that were moved, so that none can be added to them later.
    """

    id = IdField("arc")
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    count = models.BigIntegerField()
    leaves = models.CharField(max_length=71)
    size = models.BigIntegerField()  # of the checkpoint that the file leads to
    file = models.CharField(max_length=71)
    bytes = models.BigIntegerField()
    older_than = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)


class ArchivedLeaf(models.Model):
    """What is left here of an event that was archived: its place and its hash."""

    index = models.BigIntegerField(primary_key=True)
    leaf_hash = models.BinaryField(max_length=32)
    archive = models.ForeignKey(Archive, on_delete=models.PROTECT, related_name="+")
    body = None

    class Meta:
        ordering = ["index"]
