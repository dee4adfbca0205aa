"""Adds the steps of a plan: where a rollout is in them, and who holds or hurries it.

One open rollout for each endpoint is now told by the states that are no end, so that a new state
of an open rollout needs no new constraint.
"""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("rollouts", "0002_commands")]

    operations = [
        migrations.AlterField(
            "rollout",
            "state",
            models.CharField(
                choices=[
                    ("starting", "Starting"), ("shifting", "Shifting"), ("waiting", "Waiting"),
                    ("draining", "Draining"), ("done", "Done"), ("aborting", "Aborting"),
                    ("aborted", "Aborted"), ("failed", "Failed"),
                ],
                default="starting",
                max_length=10,
            ),
        ),
        migrations.AddField("rollout", "paused_by", models.CharField(blank=True, db_default="", default="", max_length=40)),
        migrations.AddField("rollout", "promoted_by", models.CharField(blank=True, db_default="", default="", max_length=40)),
        migrations.AddField("rollout", "step", models.IntegerField(db_default=-1, default=-1)),
        migrations.AddField("rollout", "step_times", models.JSONField(db_default={}, default=dict)),
        migrations.RemoveConstraint("rollout", "rollouts_one_open"),
        migrations.AddConstraint(
            "rollout",
            models.UniqueConstraint(
                condition=~Q(state__in=("done", "aborted", "failed")),
                fields=["endpoint"],
                name="rollouts_one_open",
            ),
        ),
    ]
