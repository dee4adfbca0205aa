"""Adds how releases end with their endpoint or by an abort, what was live at the decision, and
requests that open by themselves."""

from importlib import import_module

from django.db import migrations, models

STATES = import_module("apps.governance.migrations.0011_aborted").STATES
PROMOTE = import_module("apps.governance.migrations.0016_promote").Migration.operations


class Migration(migrations.Migration):
    """In one: what it replaces, for a database that has none of it."""

    replaces = [
        ("governance", "0010_retired"),
        ("governance", "0011_aborted"),
        ("governance", "0012_seen_live"),
        ("governance", "0016_promote"),
    ]
    dependencies = [("governance", "0009_target_uses")]

    operations = [
        migrations.AlterField(
            "release",
            "state",
            models.CharField(max_length=12, choices=STATES, default="requested"),
        ),
        migrations.AddField(
            "release", "seen_live", models.CharField(blank=True, max_length=40, null=True)
        ),
        *PROMOTE,
    ]
