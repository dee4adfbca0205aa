"""Audit event kinds of the app."""

from apps.audit.events import event_kind

JOB_CANCELLED = event_kind("job.cancelled", "Cancelled a job: {job:word}")
