"""Adds when an erasure was last tried, the alerts that a recall stopped an endpoint, that a webhook
was disabled and that a node reports an error, and the hours that metric windows are added up to."""

from importlib import import_module

from django.db import migrations, models

KINDS = import_module("apps.monitoring.migrations.0016_node_error").KINDS
HOURS = import_module("apps.monitoring.migrations.0014_metric_hour").Migration.operations


class Migration(migrations.Migration):
    """In one: what it replaces, for a database that has none of it."""

    replaces = [
        ("monitoring", "0012_tried_at"),
        ("monitoring", "0013_recall_stopped"),
        ("monitoring", "0014_metric_hour"),
        ("monitoring", "0015_webhook_disabled"),
        ("monitoring", "0016_node_error"),
    ]
    dependencies = [("monitoring", "0011_recall")]

    operations = [
        migrations.AddField("erasure", "tried_at", models.DateTimeField(null=True, blank=True)),
        migrations.AlterField("alert", "kind", models.CharField(choices=KINDS, max_length=20)),
        *HOURS,
    ]
