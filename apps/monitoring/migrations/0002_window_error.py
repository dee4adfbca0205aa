"""Adds why a window's counts cannot be trusted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitoring", "0001_initial")]

    operations = [
        migrations.AddField("metricwindow", "error", models.CharField(blank=True, default="", max_length=200), preserve_default=False),
    ]
