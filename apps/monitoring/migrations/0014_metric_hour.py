"""Adds the hours that metric windows are added up to."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """A table, empty at first: the job adds up what there is."""

    dependencies = [("monitoring", "0013_recall_stopped")]

    operations = [
        migrations.CreateModel(
            "MetricHour",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("revision", models.CharField(max_length=40)),
                ("started_at", models.DateTimeField()),
                ("seconds", models.FloatField(default=0)),
                ("status_2xx", models.BigIntegerField(default=0)),
                ("status_4xx", models.BigIntegerField(default=0)),
                ("status_5xx", models.BigIntegerField(default=0)),
                ("latency", models.JSONField(default=dict)),
                ("stale_since", models.DateTimeField(null=True, blank=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["-started_at"], name="monitoring_newest_hour"),
                    models.Index(
                        fields=["stale_since"],
                        condition=models.Q(("stale_since__isnull", False)),
                        name="monitoring_stale_hour",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("revision", "started_at"), name="monitoring_hour_once"
                    )
                ],
            },
        ),
    ]
