"""Adds how releases end with their endpoint or by an abort, what was live at the decision, and what
was shown to who decided."""

from importlib import import_module

import django.db.models.deletion
from django.db import migrations, models

STATES = import_module("apps.governance.migrations.0011_aborted").STATES


class Migration(migrations.Migration):
    """In one: what it replaces, for a database that has none of it."""

    replaces = [
        ("governance", "0010_retired"),
        ("governance", "0011_aborted"),
        ("governance", "0012_seen_live"),
        ("governance", "0014_decision_records"),
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
        migrations.CreateModel(
            name="DecisionRecord",
            fields=[
                (
                    "decision",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="record",
                        serialize=False,
                        to="governance.decision",
                    ),
                ),
                ("person", models.CharField(max_length=40)),
                ("digest", models.CharField(max_length=71)),
                ("document", models.TextField()),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="identity.project",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
    ]
