"""Request metrics as nodes report them, objectives over them, alerts, and captured predictions."""

from dataclasses import fields

from django.db import models
from django.db.models import Q, QuerySet

from apps.audit.models import Audited
from apps.identity.models import Project
from apps.monitoring.rules import ObjectiveTerms
from apps.serving.models import Endpoint
from placet.kernel.ids import IdField


class MetricWindow(models.Model):
    """Counts and a latency histogram of one revision over one window.

    ``latency`` counts requests per upper bound in milliseconds:
    ``{"5": 10, "10": 3, …, "inf": 0}``. Requests that no split decided on stand in ``apart`` alone,
    by cohort, so that what is compared was drawn: ``{"no_unit": {"status_2xx": 7, …}}``. The others
    are ``overridden`` (a tester's header led here) and ``mirrored`` (copies). ``first`` has the
    first request of each unit since the split has its present weight: one trial for each unit.
    """

    node = models.CharField(max_length=40)
    revision = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    seconds = models.FloatField()
    status_2xx = models.IntegerField(default=0)
    status_4xx = models.IntegerField(default=0)
    status_5xx = models.IntegerField(default=0)
    latency = models.JSONField(default=dict)
    first = models.JSONField(null=True, blank=True)
    apart = models.JSONField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True)  # why the counts cannot be trusted

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node", "revision", "started_at"], name="monitoring_window_once"
            )
        ]
        indexes = [models.Index(fields=["revision", "-started_at"], name="monitoring_recent")]


class MetricHour(models.Model):
    """What clients saw of one revision in an hour that is over: its windows of all nodes, added up,
    so that weeks are read without each of them.

    ``stale_since`` says that a window came later, and since when it is to be added up anew.
    """

    revision = models.CharField(max_length=40)
    started_at = models.DateTimeField()
    seconds = models.FloatField(default=0)
    status_2xx = models.BigIntegerField(default=0)
    status_4xx = models.BigIntegerField(default=0)
    status_5xx = models.BigIntegerField(default=0)
    latency = models.JSONField(default=dict)
    stale_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["revision", "started_at"], name="monitoring_hour_once")
        ]
        indexes = [
            models.Index(fields=["-started_at"], name="monitoring_newest_hour"),
            models.Index(
                fields=["stale_since"],
                condition=Q(stale_since__isnull=False),
                name="monitoring_stale_hour",
            ),
        ]


class Objective(Audited):
    """What the live revision of an endpoint is held to; ``owner`` is told when it is not met."""

    id = IdField("obj")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    endpoint = models.OneToOneField(Endpoint, on_delete=models.PROTECT, related_name="objective")
    availability = models.FloatField(null=True)
    latency_ms = models.IntegerField(null=True)
    latency_quantile = models.FloatField(default=0.99)
    window_minutes = models.IntegerField(default=15)
    min_requests = models.IntegerField(default=100)
    expect_traffic = models.BooleanField(default=False)
    roll_back = models.BooleanField(default=False)
    owner = models.CharField(max_length=40, blank=True)  # a person
    generation = models.IntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    def environment_scope(self) -> str | None:
        """An objective belongs to its endpoint's environment."""
        return self.endpoint.environment

    @property
    def terms(self) -> ObjectiveTerms:
        """The terms as the rules take them."""
        return ObjectiveTerms(**{f.name: getattr(self, f.name) for f in fields(ObjectiveTerms)})


class AlertState(models.TextChoices):
    """``open → acknowledged → resolved``, or ``open → resolved`` when it ends by itself."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class AlertKind(models.TextChoices):
    """What is wrong. The last four are resolved by a person, the others by being over.

    That a rollback drill failed is also over when the next one passes.
    """

    OBJECTIVE = "objective", "Objective not met"
    NO_DATA = "no_data", "Not measured"
    REPLICAS = "replicas", "Replicas fail"
    STABLE_DOWN = "stable_down", "Stable does not answer"
    NODE_SILENT = "node_silent", "Node is silent"
    NODE_ERROR = "node_error", "Node reports an error"
    SCHEDULE_FAILING = "schedule_failing", "Routine work fails"
    STREAM_LAG = "stream_lag", "Stream of the log lags"
    WEBHOOK_DISABLED = "webhook_disabled", "Webhook was disabled"
    RECALL_STOPPED = "recall_stopped", "Stopped by a recall"
    DRILL_FAILED = "drill_failed", "Rollback drill failed"
    JOB_FAILED = "job_failed", "Job failed for good"
    LOG_FAULT = "log_fault", "Audit log does not verify"
    RECALL_BROKEN = "recall_broken", "Recall not kept"


BY_PERSON = (
    AlertKind.DRILL_FAILED,
    AlertKind.JOB_FAILED,
    AlertKind.LOG_FAULT,
    AlertKind.RECALL_BROKEN,
)
UNRESOLVED = (AlertState.OPEN, AlertState.ACKNOWLEDGED)


class Alert(Audited):
    """One thing that is wrong with one subject, from its beginning to its end.

    At most one of a kind is unresolved for each subject. ``answer`` says what was done about it
    by the platform itself.
    """

    LOG_SEALED = frozenset({"summary", "answer"})
    LOG_HIDDEN = frozenset({"mailed_open_at", "mailed_resolved_at"})

    id = IdField("alr")
    kind = models.CharField(max_length=20, choices=AlertKind.choices)
    subject = models.CharField(max_length=60)  # an endpoint, a target, a kind of job, 'log'
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    environment = models.CharField(max_length=40, blank=True)
    endpoint = models.ForeignKey(
        Endpoint, null=True, blank=True, on_delete=models.PROTECT, related_name="alerts"
    )
    revision = models.CharField(max_length=40, blank=True)  # what was live when it opened
    about = models.CharField(max_length=200)  # the subject, as people name it
    summary = models.TextField()
    answer = models.TextField(blank=True)
    rollout = models.CharField(max_length=40, blank=True)  # the rollback that answered it
    owner = models.CharField(max_length=40, blank=True)  # a person; '' means who may handle it
    state = models.CharField(max_length=12, choices=AlertState.choices, default=AlertState.OPEN)
    generation = models.IntegerField(default=0)
    opened_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=40, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=40, blank=True)
    mailed_open_at = models.DateTimeField(null=True, blank=True)
    mailed_resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"],
                condition=Q(state__in=UNRESOLVED),
                name="monitoring_one_unresolved",
            )
        ]
        indexes = [models.Index(fields=["state", "-id"], name="monitoring_alert_state")]

    def environment_scope(self) -> str | None:
        """An alert about an endpoint belongs to its environment."""
        return self.environment or None

    @property
    def resolves_itself(self) -> bool:
        """Tell whether it ends when its condition does, and not by a person's word."""
        return self.kind not in BY_PERSON


def unresolved(*kinds: AlertKind) -> QuerySet[Alert]:
    """Return the alerts of these kinds that are not over."""
    return Alert.objects.filter(kind__in=kinds, state__in=UNRESOLVED)


class CaptureFile(models.Model):
    """A file of captured predictions on a node, and how far we have it: lines arrive once."""

    node = models.CharField(max_length=40)
    revision = models.CharField(max_length=40)
    name = models.CharField(max_length=50)
    offset = models.BigIntegerField(default=0)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["node", "revision", "name"], name="monitoring_capture_file_once"
            )
        ]


class CaptureRange(models.Model):
    """Bytes ``start`` to ``end`` of a file; ``packed`` until its predictions are stored."""

    file = models.ForeignKey(CaptureFile, on_delete=models.CASCADE, related_name="ranges")
    start = models.BigIntegerField()
    end = models.BigIntegerField()
    packed = models.BinaryField(null=True)  # zlib of whole lines
    received_at = models.DateTimeField()
    stored_at = models.DateTimeField(null=True, blank=True)
    dropped = models.IntegerField(default=0)  # what the service says it had no room for
    unreadable = models.IntegerField(default=0)  # lines that are no prediction of this revision

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "start"], name="monitoring_capture_range_once")
        ]
        indexes = [
            models.Index(
                fields=["id"], condition=Q(stored_at=None), name="monitoring_capture_waiting"
            )
        ]


class CaptureSalt(models.Model):
    """What units of an endpoint are hashed with. Locked by whoever stores or erases there."""

    endpoint = models.CharField(max_length=40, primary_key=True)
    salt = models.CharField(max_length=64)


class CapturePart(models.Model):
    """A Parquet file in the artifact store: predictions of one revision on one day."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="+")
    revision = models.CharField(max_length=40)
    day = models.DateField()
    sha256 = models.CharField(max_length=64)
    rows = models.IntegerField()
    keep_until = models.DateField()  # the last day

    class Meta:
        indexes = [
            models.Index(fields=["revision", "day"], name="monitoring_capture_parts"),
            models.Index(fields=["keep_until"], name="monitoring_capture_due"),
            models.Index(fields=["sha256"], name="monitoring_capture_blob"),
        ]


class CapturedPrediction(models.Model):
    """One captured prediction: where its inputs and its output lie, and whose it is.

    ``unit`` is a salted hash, '' when the request had none; ``cohort`` is '' where a split decided.
    ``output`` is that of one row, drawn by the prediction's id, where it is short enough to count.
    """

    prediction = models.UUIDField()
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="+")
    revision = models.CharField(max_length=40)
    part = models.ForeignKey(CapturePart, on_delete=models.CASCADE, related_name="predictions")
    unit = models.CharField(max_length=32, blank=True)
    at = models.DateTimeField()
    cohort = models.CharField(max_length=10, blank=True, db_default="")
    output = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["prediction", "revision"], name="monitoring_prediction_once"
            )
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="monitoring_predictions"),
            models.Index(fields=["endpoint", "unit"], name="monitoring_prediction_unit"),
            models.Index(fields=["revision", "at"], name="monitoring_prediction_at"),
        ]


class Outcome(models.Model):
    """What became of one prediction, under a name, as a client reported it.

    ``revision``, ``unit``, ``cohort`` and ``predicted_at`` are those of the captured prediction;
    until that is there ``place`` is null. ``draw`` lies evenly in [0, 1): see ``rules.draw_of``.
    """

    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="+")
    prediction = models.UUIDField()
    name = models.CharField(max_length=40)
    value = models.FloatField()
    draw = models.FloatField()
    reported_by = models.CharField(max_length=40)
    reported_at = models.DateTimeField()
    place = models.BigIntegerField(null=True)  # in the order of being matched
    revision = models.CharField(max_length=40, blank=True)
    unit = models.CharField(max_length=32, blank=True)
    cohort = models.CharField(max_length=10, blank=True)
    predicted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "prediction", "name"], name="monitoring_outcome_once"
            ),
            models.UniqueConstraint(fields=["endpoint", "place"], name="monitoring_outcome_place"),
        ]
        indexes = [
            models.Index(fields=["revision", "name", "predicted_at"], name="monitoring_outcomes"),
            models.Index(fields=["endpoint", "unit"], name="monitoring_outcome_unit"),
        ]


class Erasure(Audited):
    """Somebody's wish that nothing captured of one unit remains, and what became of it.

    It stays: what a node sends later of the time before is not stored. The log never knows the
    unit, not even as a hash.
    """

    LOG_HIDDEN = frozenset({"unit", "tried_at"})

    id = IdField("era")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="+")
    unit = models.CharField(max_length=32)
    requested_by = models.CharField(max_length=40)
    requested_at = models.DateTimeField()
    erased = models.IntegerField(default=0)  # predictions
    tried_at = models.DateTimeField(null=True, blank=True)  # when carrying it out last began
    done_at = models.DateTimeField(null=True, blank=True)

    def environment_scope(self) -> str | None:
        """An erasure belongs to its endpoint's environment."""
        return self.endpoint.environment
