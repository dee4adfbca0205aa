"""Adds the analysis of a new revision: a state of the rollout, and what each look said."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("rollouts", "0003_steps")]

    operations = [
        migrations.AlterField(
            "rollout",
            "state",
            models.CharField(
                choices=[
                    ("starting", "Starting"), ("shifting", "Shifting"), ("waiting", "Waiting"),
                    ("analysing", "Analysing"), ("draining", "Draining"), ("done", "Done"),
                    ("aborting", "Aborting"), ("aborted", "Aborted"), ("failed", "Failed"),
                ],
                default="starting",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            "Look",
            [
                ("id", models.BigAutoField(primary_key=True, serialize=False, auto_created=True, verbose_name="ID")),
                ("step", models.IntegerField()),
                ("at", models.DateTimeField()),
                ("outcome", models.CharField(max_length=12)),
                ("verdict", models.JSONField()),
                ("rollout", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="looks", to="rollouts.rollout")),
            ],
        ),
        migrations.AddConstraint(
            "look",
            models.UniqueConstraint(fields=["rollout", "step", "at"], name="rollouts_look_once"),
        ),
    ]
