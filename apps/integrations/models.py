"""Streams of the audit log, and what became of their last batches."""

from django.db import models

from apps.audit.models import Audited
from apps.identity.models import Project
from placet.kernel.ids import IdField


class StreamKind(models.TextChoices):
    """How events are written, and over what they go."""

    JSONL = "jsonl", "JSON lines"
    CLOUDEVENTS = "cloudevents", "CloudEvents"
    SYSLOG = "syslog", "Syslog"


class StreamState(models.TextChoices):
    """``paused ⇄ running ⇄ failing``, and from both of these to ``blocked``.

    A failing stream tries again by itself; a paused or blocked one waits for a person.
    """

    PAUSED = "paused"
    RUNNING = "running"
    FAILING = "failing"
    BLOCKED = "blocked"


SENDING = (StreamState.RUNNING, StreamState.FAILING)
WAITING = (StreamState.PAUSED, StreamState.BLOCKED)


class Stream(Audited):
    """Where the log is sent, of the whole instance or of one project, and how far that has come.

    ``cursor`` is the index of the next event, moved by compare-and-set; ``checkpoint`` the size of
    the last tree head that was sent. They and what follows them change with each batch, which
    leaves no event. Secrets are files, which the row knows by name alone.
    """

    LOG_HIDDEN = frozenset(
        {"cursor", "checkpoint", "batch_limit", "failures", "retry_at", "error", "delivered_at"}
    )

    id = IdField("stm")
    name = models.SlugField(max_length=60)
    kind = models.CharField(max_length=12, choices=StreamKind.choices)
    url = models.CharField(max_length=500)
    token_file = models.CharField(max_length=100, blank=True)
    ca_file = models.CharField(max_length=100, blank=True)
    cert_file = models.CharField(max_length=100, blank=True)
    alert_after_seconds = models.IntegerField()
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    state = models.CharField(max_length=8, choices=StreamState.choices, default=StreamState.PAUSED)
    generation = models.IntegerField(default=0)
    created_by = models.CharField(max_length=40)
    started_by = models.CharField(max_length=40, blank=True)  # '': nobody let it begin yet
    created_at = models.DateTimeField(auto_now_add=True)

    cursor = models.BigIntegerField(default=0)
    checkpoint = models.BigIntegerField(default=0)
    batch_limit = models.IntegerField(default=0)  # events; 0 is no other limit than ours
    failures = models.IntegerField(default=0)  # in a row
    retry_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)  # the last one in words; '' since it is over
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(  # those of the instance are of one project too: of none
                fields=["project", "name"], nulls_distinct=False, name="integrations_stream_name"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def full_name(self) -> str:
        """Its name, behind that of its project: no other stream has it."""
        return f"{self.project.slug}/{self.name}" if self.project else self.name


class Delivery(models.Model):
    """One attempt to send a batch, or a test event. Measurements: the log does not repeat them."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="deliveries")
    at = models.DateTimeField()
    test = models.BooleanField(default=False)
    first = models.BigIntegerField()  # index of the first event
    events = models.IntegerField()
    bytes = models.BigIntegerField()
    seconds = models.FloatField()
    accepted = models.BooleanField()
    detail = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["stream", "-id"], name="integrations_delivery_of")]
