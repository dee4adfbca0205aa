"""Going past analyses of a signed plan, and asking a second person for that."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from placet.kernel.ids import IdField


class Migration(migrations.Migration):
    """A table, empty at first."""

    dependencies = [("rollouts", "0005_drills")]

    operations = [
        migrations.CreateModel(
            name="Passing",
            fields=[
                ("id", IdField(prefix="pas", serialize=False)),
                ("verb", models.CharField(max_length=8)),
                ("step", models.IntegerField()),
                ("analyses", models.JSONField()),
                ("digest", models.CharField(max_length=71)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "Asked"),
                            ("done", "Done"),
                            ("declined", "Declined"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        max_length=10,
                    ),
                ),
                ("generation", models.IntegerField(default=0)),
                ("asked_by", models.CharField(max_length=40)),
                ("asker", models.CharField(max_length=40)),
                ("reason", models.TextField()),
                ("answered_by", models.CharField(blank=True, max_length=40)),
                ("answer", models.TextField(blank=True)),
                ("asked_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="identity.project",
                    ),
                ),
                (
                    "rollout",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="passings",
                        to="rollouts.rollout",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(("state", "asked")),
                        fields=("rollout", "step"),
                        name="rollouts_one_passing_asked",
                    )
                ],
            },
        ),
    ]
