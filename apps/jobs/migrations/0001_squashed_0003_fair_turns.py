"""What a new database gets in place of migrations 0001 to 0003: the same in one step.

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
        ("jobs", "0001_initial"), ("jobs", "0002_lost_leases"), ("jobs", "0003_fair_turns"),
    ]
    dependencies = []

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="Schedule",
                fields=[
                    ("name", models.CharField(max_length=60, primary_key=True, serialize=False)),
                    ("kind", models.CharField(max_length=60)),
                    ("queue", models.CharField(max_length=20)),
                    ("every_seconds", models.IntegerField()),
                    ("next_at", models.DateTimeField()),
                ],
            ),
            migrations.CreateModel(
                name="Job",
                fields=[
                    ("id", IdField(prefix="job", serialize=False)),
                    ("kind", models.CharField(max_length=60)),
                    ("queue", models.CharField(max_length=20)),
                    ("args", models.JSONField(default=dict)),
                    ("key", models.CharField(blank=True, max_length=200)),
                    (
                        "state",
                        models.CharField(
                            choices=[
                                ("queued", "Queued"),
                                ("running", "Running"),
                                ("succeeded", "Succeeded"),
                                ("failed", "Failed"),
                                ("cancelled", "Cancelled"),
                            ],
                            default="queued",
                            max_length=12,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("lease_owner", models.CharField(blank=True, max_length=120)),
                    ("lease_until", models.DateTimeField(blank=True, null=True)),
                    ("attempts", models.IntegerField(default=0)),
                    ("max_attempts", models.IntegerField(default=0)),
                    ("due_at", models.DateTimeField()),
                    ("cancel_requested", models.BooleanField(default=False)),
                    ("error", models.TextField(blank=True)),
                    ("result", models.JSONField(blank=True, null=True)),
                    ("request_id", models.CharField(blank=True, max_length=64)),
                    ("project", models.CharField(blank=True, max_length=40, null=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("finished_at", models.DateTimeField(blank=True, null=True)),
                    ("losses", models.IntegerField(default=0)),
                ],
                options={
                    "indexes": [
                        models.Index(
                            condition=Q(("state__in", ["queued", "running"])),
                            fields=["queue", "due_at"],
                            name="jobs_open",
                        ),
                        models.Index(
                            condition=Q(("finished_at__isnull", False)),
                            fields=["queue", "project", "finished_at"],
                            name="jobs_last_of_project",
                        ),
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=Q(("state", "queued"), Q(("key", ""), _negated=True)),
                            fields=("kind", "key"),
                            name="jobs_key_once",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="ScheduleRun",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("planned_time", models.DateTimeField()),
                    ("job", models.CharField(max_length=40)),
                    ("schedule", models.ForeignKey(on_delete=models.CASCADE, to="jobs.schedule")),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("schedule", "planned_time"), name="jobs_planned_once"
                        )
                    ],
                },
            ),
        ),
    ]
