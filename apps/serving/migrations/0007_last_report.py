"""Adds when a node last reported: one that only asks for states is seen, and says nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("serving", "0006_noted")]

    operations = [
        migrations.AddField("node", "last_report_at", models.DateTimeField(null=True, blank=True)),
    ]
