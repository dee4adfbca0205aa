"""Adds the alert that a node reports an error."""

from django.db import migrations, models

KINDS = [
    ("objective", "Objective not met"),
    ("no_data", "Not measured"),
    ("replicas", "Replicas fail"),
    ("stable_down", "Stable does not answer"),
    ("node_silent", "Node is silent"),
    ("node_error", "Node reports an error"),
    ("schedule_failing", "Routine work fails"),
    ("stream_lag", "Stream of the log lags"),
    ("webhook_disabled", "Webhook was disabled"),
    ("recall_stopped", "Stopped by a recall"),
    ("drill_failed", "Rollback drill failed"),
    ("job_failed", "Job failed for good"),
    ("log_fault", "Audit log does not verify"),
    ("recall_broken", "Recall not kept"),
]


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitoring", "0015_webhook_disabled")]

    operations = [
        migrations.AlterField("alert", "kind", models.CharField(choices=KINDS, max_length=20)),
    ]
