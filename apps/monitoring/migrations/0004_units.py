"""Adds the units of a window, and the requests that no split decided on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitoring", "0003_objectives_and_alerts")]

    operations = [
        migrations.AddField("metricwindow", "units", models.IntegerField(db_default=0, default=0)),
        migrations.AddField("metricwindow", "apart", models.JSONField(blank=True, null=True)),
    ]
