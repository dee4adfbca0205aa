"""Keeps one row's output of a captured prediction beside its index, for analyses to count."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitoring", "0008_drill_failed")]

    operations = [
        migrations.AddField("capturedprediction", "output", models.JSONField(null=True)),
    ]
