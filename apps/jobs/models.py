"""Durable work: job rows with leases, and schedules."""

from django.db import models
from django.db.models import Q

from placet.kernel.ids import IdField


class JobState(models.TextChoices):
    """``queued → running → succeeded | failed | cancelled``; ``running → queued`` on a retry or a
    lost lease."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job(models.Model):
    """One piece of work. The row is the truth; a broker message only points at it.

    ``generation`` goes up at each claim and fences every write of a worker that lost its lease.
    ``key`` makes work unique while it waits, and keeps two of one kind and key from running at
    the same time.
    """

    id = IdField("job")
    kind = models.CharField(max_length=60)
    queue = models.CharField(max_length=20)
    args = models.JSONField(default=dict)
    key = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=12, choices=JobState.choices, default=JobState.QUEUED)
    generation = models.IntegerField(default=0)
    lease_owner = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    attempts = models.IntegerField(default=0)  # claims so far
    losses = models.IntegerField(default=0)  # claims that ended with a dead worker
    max_attempts = models.IntegerField(default=0)  # 0: what the handler says
    due_at = models.DateTimeField()
    cancel_requested = models.BooleanField(default=False)
    error = models.TextField(blank=True)
    result = models.JSONField(null=True, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    project = models.CharField(max_length=40, null=True, blank=True)  # noqa: DJ001  (None = instance)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["queue", "due_at"],
                condition=Q(state__in=[JobState.QUEUED, JobState.RUNNING]),
                name="jobs_open",
            ),
            models.Index(
                fields=["queue", "project", "finished_at"],
                condition=Q(finished_at__isnull=False),
                name="jobs_last_of_project",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"],
                condition=Q(state=JobState.QUEUED) & ~Q(key=""),
                name="jobs_key_once",
            )
        ]


class Schedule(models.Model):
    """Work that comes round every ``every_seconds``."""

    name = models.CharField(max_length=60, primary_key=True)
    kind = models.CharField(max_length=60)
    queue = models.CharField(max_length=20)
    every_seconds = models.IntegerField()
    next_at = models.DateTimeField()


class ScheduleRun(models.Model):
    """One planned time of a schedule; unique, so that it is enqueued once."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE)
    planned_time = models.DateTimeField()
    job = models.CharField(max_length=40)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "planned_time"], name="jobs_planned_once")
        ]
