"""Adds the alert that a webhook was disabled because nothing got through."""

from django.db import migrations, models

KINDS = [
    ("objective", "Objective not met"),
    ("no_data", "Not measured"),
    ("replicas", "Replicas fail"),
    ("stable_down", "Stable does not answer"),
    ("node_silent", "Node is silent"),
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

    dependencies = [("monitoring", "0014_metric_hour")]

    operations = [
        migrations.AlterField("alert", "kind", models.CharField(choices=KINDS, max_length=20)),
    ]
