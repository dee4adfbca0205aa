"""Keeps on a release what was live at its endpoint when people decided."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Of earlier releases nobody wrote it down: their pages say so."""

    dependencies = [("governance", "0011_aborted")]

    operations = [
        migrations.AddField(
            "release", "seen_live", models.CharField(blank=True, max_length=40, null=True)
        ),
    ]
