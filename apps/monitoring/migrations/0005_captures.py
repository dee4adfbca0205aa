"""Adds captured predictions: files and ranges of nodes, Parquet files, an index, erasures."""

import django.db.models.deletion
import placet.kernel.ids
from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [
        ("identity", "0005_artifact_quota"),
        ("monitoring", "0004_units"),
        ("serving", "0003_tried_on"),
    ]

    operations = [
        migrations.CreateModel(
            name="CaptureSalt",
            fields=[
                ("endpoint", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("salt", models.CharField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="CaptureFile",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("node", models.CharField(max_length=40)),
                ("revision", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=50)),
                ("offset", models.BigIntegerField(default=0)),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("node", "revision", "name"), name="monitoring_capture_file_once")],
            },
        ),
        migrations.CreateModel(
            name="CapturePart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("revision", models.CharField(max_length=40)),
                ("day", models.DateField()),
                ("sha256", models.CharField(max_length=64)),
                ("rows", models.IntegerField()),
                ("keep_until", models.DateField()),
                ("endpoint", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="serving.endpoint")),
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
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("prediction", models.UUIDField()),
                ("revision", models.CharField(max_length=40)),
                ("unit", models.CharField(blank=True, max_length=32)),
                ("at", models.DateTimeField()),
                ("endpoint", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="serving.endpoint")),
                ("part", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="predictions", to="monitoring.capturepart")),
            ],
            options={
                "indexes": [
                    models.Index(fields=["endpoint", "-id"], name="monitoring_predictions"),
                    models.Index(fields=["endpoint", "unit"], name="monitoring_prediction_unit"),
                    models.Index(fields=["revision", "at"], name="monitoring_prediction_at"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("prediction", "revision"), name="monitoring_prediction_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CaptureRange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("start", models.BigIntegerField()),
                ("end", models.BigIntegerField()),
                ("packed", models.BinaryField(null=True)),
                ("received_at", models.DateTimeField()),
                ("stored_at", models.DateTimeField(blank=True, null=True)),
                ("dropped", models.IntegerField(default=0)),
                ("unreadable", models.IntegerField(default=0)),
                ("file", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="ranges", to="monitoring.capturefile")),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("stored_at", None)), fields=["id"], name="monitoring_capture_waiting"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("file", "start"), name="monitoring_capture_range_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="era", serialize=False)),
                ("unit", models.CharField(max_length=32)),
                ("requested_by", models.CharField(max_length=40)),
                ("requested_at", models.DateTimeField()),
                ("erased", models.IntegerField(default=0)),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                ("endpoint", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="serving.endpoint")),
                ("project", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.project")),
            ],
            options={
                "abstract": False,
            },
        ),
    ]
