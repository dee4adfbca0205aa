"""What a new database gets in place of migrations 0001 to 0005: the same in one step.

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
        ("rollouts", "0001_initial"),
        ("rollouts", "0002_commands"),
        ("rollouts", "0003_steps"),
        ("rollouts", "0004_analyses"),
        ("rollouts", "0005_drills"),
    ]
    dependencies = [
        ("governance", "0001_initial"),
        ("identity", "0005_artifact_quota"),
        ("serving", "0004_guard"),
    ]

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="Rollout",
                fields=[
                    ("id", IdField(prefix="rlo", serialize=False)),
                    ("kind", models.CharField(max_length=10)),
                    (
                        "state",
                        models.CharField(
                            choices=[
                                ("starting", "Starting"),
                                ("shifting", "Shifting"),
                                ("waiting", "Waiting"),
                                ("analysing", "Analysing"),
                                ("draining", "Draining"),
                                ("returning", "Returning"),
                                ("done", "Done"),
                                ("aborting", "Aborting"),
                                ("aborted", "Aborted"),
                                ("failed", "Failed"),
                            ],
                            default="starting",
                            max_length=10,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("reason", models.TextField(blank=True)),
                    ("started_by", models.CharField(max_length=40)),
                    ("deadline", models.DateTimeField()),
                    ("phase_times", models.JSONField(default=dict)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("finished_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="rollouts", to="serving.endpoint"
                        ),
                    ),
                    (
                        "from_revision",
                        models.ForeignKey(
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="+",
                            to="serving.revision",
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "release",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="rollouts",
                            to="governance.release",
                        ),
                    ),
                    (
                        "to_revision",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="serving.revision"
                        ),
                    ),
                    ("aborted_by", models.CharField(blank=True, max_length=40)),
                    ("commanded", models.IntegerField(default=-1)),
                    ("claimed", models.IntegerField(default=-1)),
                    ("claimed_until", models.DateTimeField(blank=True, null=True)),
                    ("told_epoch", models.IntegerField(default=0)),
                    ("told_number", models.BigIntegerField(default=0)),
                    (
                        "paused_by",
                        models.CharField(blank=True, db_default="", default="", max_length=40),
                    ),
                    (
                        "promoted_by",
                        models.CharField(blank=True, db_default="", default="", max_length=40),
                    ),
                    ("step", models.IntegerField(db_default=-1, default=-1)),
                    ("step_times", models.JSONField(db_default={}, default=dict)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            condition=Q(
                                ("state__in", ("done", "aborted", "failed")), _negated=True
                            ),
                            fields=("endpoint",),
                            name="rollouts_one_open",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Look",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("step", models.IntegerField()),
                    ("at", models.DateTimeField()),
                    ("outcome", models.CharField(max_length=12)),
                    ("verdict", models.JSONField()),
                    (
                        "rollout",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="looks", to="rollouts.rollout"
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("rollout", "step", "at"), name="rollouts_look_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="DrillSchedule",
                fields=[
                    ("id", IdField(prefix="drs", serialize=False)),
                    ("every_days", models.IntegerField()),
                    ("hour", models.IntegerField()),
                    ("next_at", models.DateTimeField()),
                    ("set_by", models.CharField(max_length=40)),
                    ("generation", models.IntegerField(default=0)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "endpoint",
                        models.OneToOneField(
                            on_delete=models.PROTECT,
                            related_name="drill_schedule",
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
                name="Drill",
                fields=[
                    ("id", IdField(prefix="drl", serialize=False)),
                    ("planned_for", models.DateTimeField(blank=True, null=True)),
                    ("started_by", models.CharField(max_length=40)),
                    (
                        "state",
                        models.CharField(
                            choices=[
                                ("running", "Running"),
                                ("passed", "Passed"),
                                ("failed", "Failed"),
                                ("skipped", "Skipped"),
                            ],
                            default="running",
                            max_length=8,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("reason", models.TextField(blank=True)),
                    ("seconds", models.FloatField(blank=True, null=True)),
                    ("return_seconds", models.FloatField(blank=True, null=True)),
                    ("answers", models.IntegerField(blank=True, null=True)),
                    ("failed_requests", models.IntegerField(blank=True, null=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("finished_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="drills", to="serving.endpoint"
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "rollout",
                        models.OneToOneField(
                            blank=True,
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="drill",
                            to="rollouts.rollout",
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            condition=Q(("state", "running")),
                            fields=("endpoint",),
                            name="rollouts_one_drill",
                        ),
                        models.UniqueConstraint(
                            fields=("endpoint", "planned_for"), name="rollouts_drill_planned_once"
                        ),
                    ],
                },
            ),
        ),
    ]
