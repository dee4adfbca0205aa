"""What a new database gets in place of migrations 0001 to 0011: the same in one step.

A database that has applied some of them goes on with the others themselves.
"""

from django.db import migrations, models
from django.db.models import Q

from placet.kernel.ids import IdField
from placet.kernel.tables import MakeTables


class Migration(migrations.Migration):
    """See the module."""

    initial = True
    replaces = [
        ("monitoring", "0001_initial"),
        ("monitoring", "0002_window_error"),
        ("monitoring", "0003_objectives_and_alerts"),
        ("monitoring", "0004_units"),
        ("monitoring", "0005_captures"),
        ("monitoring", "0006_stable_down"),
        ("monitoring", "0007_outcomes"),
        ("monitoring", "0008_drill_failed"),
        ("monitoring", "0009_output"),
        ("monitoring", "0010_stream_lag"),
        ("monitoring", "0011_recall"),
    ]
    dependencies = [
        ("identity", "0005_artifact_quota"),
        ("serving", "0004_guard"),
    ]

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="MetricWindow",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("node", models.CharField(max_length=40)),
                    ("revision", models.CharField(max_length=40)),
                    ("started_at", models.DateTimeField()),
                    ("seconds", models.FloatField()),
                    ("status_2xx", models.IntegerField(default=0)),
                    ("status_4xx", models.IntegerField(default=0)),
                    ("status_5xx", models.IntegerField(default=0)),
                    ("latency", models.JSONField(default=dict)),
                    ("error", models.CharField(blank=True, max_length=200)),
                    ("first", models.JSONField(blank=True, null=True)),
                    ("apart", models.JSONField(blank=True, null=True)),
                ],
                options={
                    "indexes": [
                        models.Index(fields=["revision", "-started_at"], name="monitoring_recent")
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("node", "revision", "started_at"), name="monitoring_window_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Objective",
                fields=[
                    ("id", IdField(prefix="obj", serialize=False)),
                    ("availability", models.FloatField(null=True)),
                    ("latency_ms", models.IntegerField(null=True)),
                    ("latency_quantile", models.FloatField(default=0.99)),
                    ("window_minutes", models.IntegerField(default=15)),
                    ("min_requests", models.IntegerField(default=100)),
                    ("expect_traffic", models.BooleanField(default=False)),
                    ("roll_back", models.BooleanField(default=False)),
                    ("owner", models.CharField(blank=True, max_length=40)),
                    ("generation", models.IntegerField(default=0)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "endpoint",
                        models.OneToOneField(
                            on_delete=models.PROTECT,
                            related_name="objective",
                            to="serving.endpoint",
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                ],
            ),
            migrations.CreateModel(
                name="Alert",
                fields=[
                    ("id", IdField(prefix="alr", serialize=False)),
                    (
                        "kind",
                        models.CharField(
                            choices=[
                                ("objective", "Objective not met"),
                                ("no_data", "Not measured"),
                                ("replicas", "Replicas fail"),
                                ("stable_down", "Stable does not answer"),
                                ("node_silent", "Node is silent"),
                                ("schedule_failing", "Routine work fails"),
                                ("stream_lag", "Stream of the log lags"),
                                ("drill_failed", "Rollback drill failed"),
                                ("job_failed", "Job failed for good"),
                                ("log_fault", "Audit log does not verify"),
                                ("recall_broken", "Recall not kept"),
                            ],
                            max_length=20,
                        ),
                    ),
                    ("subject", models.CharField(max_length=60)),
                    ("environment", models.CharField(blank=True, max_length=40)),
                    ("revision", models.CharField(blank=True, max_length=40)),
                    ("about", models.CharField(max_length=200)),
                    ("summary", models.TextField()),
                    ("answer", models.TextField(blank=True)),
                    ("rollout", models.CharField(blank=True, max_length=40)),
                    ("owner", models.CharField(blank=True, max_length=40)),
                    (
                        "state",
                        models.CharField(
                            choices=[
                                ("open", "Open"),
                                ("acknowledged", "Acknowledged"),
                                ("resolved", "Resolved"),
                            ],
                            default="open",
                            max_length=12,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("opened_at", models.DateTimeField()),
                    ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                    ("acknowledged_by", models.CharField(blank=True, max_length=40)),
                    ("resolved_at", models.DateTimeField(blank=True, null=True)),
                    ("resolved_by", models.CharField(blank=True, max_length=40)),
                    ("mailed_open_at", models.DateTimeField(blank=True, null=True)),
                    ("mailed_resolved_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "endpoint",
                        models.ForeignKey(
                            blank=True,
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="alerts",
                            to="serving.endpoint",
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            blank=True,
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="+",
                            to="identity.project",
                        ),
                    ),
                ],
                options={
                    "indexes": [
                        models.Index(fields=["state", "-id"], name="monitoring_alert_state")
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=Q(("state__in", ("open", "acknowledged"))),
                            fields=("kind", "subject"),
                            name="monitoring_one_unresolved",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="CaptureSalt",
                fields=[
                    (
                        "endpoint",
                        models.CharField(max_length=40, primary_key=True, serialize=False),
                    ),
                    ("salt", models.CharField(max_length=64)),
                ],
            ),
            migrations.CreateModel(
                name="CaptureFile",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("node", models.CharField(max_length=40)),
                    ("revision", models.CharField(max_length=40)),
                    ("name", models.CharField(max_length=50)),
                    ("offset", models.BigIntegerField(default=0)),
                    ("changed_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("node", "revision", "name"), name="monitoring_capture_file_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="CapturePart",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("revision", models.CharField(max_length=40)),
                    ("day", models.DateField()),
                    ("sha256", models.CharField(max_length=64)),
                    ("rows", models.IntegerField()),
                    ("keep_until", models.DateField()),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="serving.endpoint"
                        ),
                    ),
                ],
                options={
                    "indexes": [
                        models.Index(fields=["revision", "day"], name="monitoring_capture_parts"),
                        models.Index(fields=["keep_until"], name="monitoring_capture_due"),
                        models.Index(fields=["sha256"], name="monitoring_capture_blob"),
                    ],
                },
            ),
            migrations.CreateModel(
                name="CapturedPrediction",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("prediction", models.UUIDField()),
                    ("revision", models.CharField(max_length=40)),
                    ("unit", models.CharField(blank=True, max_length=32)),
                    ("at", models.DateTimeField()),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="serving.endpoint"
                        ),
                    ),
                    (
                        "part",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="predictions",
                            to="monitoring.capturepart",
                        ),
                    ),
                    ("cohort", models.CharField(blank=True, db_default="", max_length=10)),
                    ("output", models.JSONField(null=True)),
                ],
                options={
                    "indexes": [
                        models.Index(fields=["endpoint", "-id"], name="monitoring_predictions"),
                        models.Index(
                            fields=["endpoint", "unit"], name="monitoring_prediction_unit"
                        ),
                        models.Index(fields=["revision", "at"], name="monitoring_prediction_at"),
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("prediction", "revision"), name="monitoring_prediction_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="CaptureRange",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("start", models.BigIntegerField()),
                    ("end", models.BigIntegerField()),
                    ("packed", models.BinaryField(null=True)),
                    ("received_at", models.DateTimeField()),
                    ("stored_at", models.DateTimeField(blank=True, null=True)),
                    ("dropped", models.IntegerField(default=0)),
                    ("unreadable", models.IntegerField(default=0)),
                    (
                        "file",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="ranges",
                            to="monitoring.capturefile",
                        ),
                    ),
                ],
                options={
                    "indexes": [
                        models.Index(
                            condition=Q(("stored_at", None)),
                            fields=["id"],
                            name="monitoring_capture_waiting",
                        )
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("file", "start"), name="monitoring_capture_range_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Erasure",
                fields=[
                    ("id", IdField(prefix="era", serialize=False)),
                    ("unit", models.CharField(max_length=32)),
                    ("requested_by", models.CharField(max_length=40)),
                    ("requested_at", models.DateTimeField()),
                    ("erased", models.IntegerField(default=0)),
                    ("done_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="serving.endpoint"
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                ],
            ),
            migrations.CreateModel(
                name="Outcome",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("prediction", models.UUIDField()),
                    ("name", models.CharField(max_length=40)),
                    ("value", models.FloatField()),
                    ("draw", models.FloatField()),
                    ("reported_by", models.CharField(max_length=40)),
                    ("reported_at", models.DateTimeField()),
                    ("place", models.BigIntegerField(null=True)),
                    ("revision", models.CharField(blank=True, max_length=40)),
                    ("unit", models.CharField(blank=True, max_length=32)),
                    ("cohort", models.CharField(blank=True, max_length=10)),
                    ("predicted_at", models.DateTimeField(null=True)),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="serving.endpoint"
                        ),
                    ),
                ],
                options={
                    "indexes": [
                        models.Index(
                            fields=["revision", "name", "predicted_at"], name="monitoring_outcomes"
                        ),
                        models.Index(fields=["endpoint", "unit"], name="monitoring_outcome_unit"),
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("endpoint", "prediction", "name"),
                            name="monitoring_outcome_once",
                        ),
                        models.UniqueConstraint(
                            fields=("endpoint", "place"), name="monitoring_outcome_place"
                        ),
                    ],
                },
            ),
        ),
    ]
