"""Adds who aborted a rollout, and the reconciler's notes on what the driver was told."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("rollouts", "0001_initial")]

    operations = [
        migrations.AddField("rollout", "aborted_by", models.CharField(blank=True, default="", max_length=40), preserve_default=False),
        migrations.AddField("rollout", "commanded", models.IntegerField(default=-1)),
        migrations.AddField("rollout", "claimed", models.IntegerField(default=-1)),
        migrations.AddField("rollout", "claimed_until", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("rollout", "told_epoch", models.IntegerField(default=0)),
        migrations.AddField("rollout", "told_number", models.BigIntegerField(default=0)),
    ]
