"""Adds the units of a window by their first requests, and requests that no split decided on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitoring", "0003_objectives_and_alerts")]

    operations = [
        migrations.AddField("metricwindow", "first", models.JSONField(blank=True, null=True)),
        migrations.AddField("metricwindow", "apart", models.JSONField(blank=True, null=True)),
    ]
