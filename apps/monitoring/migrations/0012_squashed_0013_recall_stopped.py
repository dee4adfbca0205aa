"""Adds when an erasure was last tried, and the alert that a recall stopped an endpoint."""

from importlib import import_module

from django.db import migrations, models

KINDS = import_module("apps.monitoring.migrations.0013_recall_stopped").KINDS


class Migration(migrations.Migration):
    """In one: what it replaces, for a database that has none of it."""

    replaces = [("monitoring", "0012_tried_at"), ("monitoring", "0013_recall_stopped")]
    dependencies = [("monitoring", "0011_recall")]

    operations = [
        migrations.AddField("erasure", "tried_at", models.DateTimeField(null=True, blank=True)),
        migrations.AlterField("alert", "kind", models.CharField(choices=KINDS, max_length=20)),
    ]
