"""Adds how releases end with their endpoint or by an abort, what was live at the decision, requests
for changes, what was shown at each decision, when a release was live for the first time, requests
that open by themselves, who was asked by name to review and within how many days, and who is
away."""

from importlib import import_module

from django.db import migrations

REPLACED = (
    "0010_retired",
    "0011_aborted",
    "0012_seen_live",
    "0013_request_changes",
    "0014_decision_records",
    "0015_first_live_at",
    "0016_promote",
    "0017_review_requests",
    "0018_absences",
    "0019_review_days",
)
MODULES = [import_module(f"apps.governance.migrations.{name}") for name in REPLACED]


class Migration(migrations.Migration):
    """In one: what it replaces, for a database that has none of it, where nothing is to fill."""

    replaces = [("governance", name) for name in REPLACED]
    dependencies = [("governance", "0009_target_uses")]

    operations = [
        operation
        for module in MODULES
        for operation in module.Migration.operations
        if not isinstance(operation, migrations.RunSQL)
    ]
