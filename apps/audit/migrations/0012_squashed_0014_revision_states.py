"""Keeps up to where the log was verified as it grew, and finds what kinds of a project say, how people
decided, who asked Placet to do something and what became of revisions."""

from importlib import import_module

from django.db import migrations

HEAD = import_module("apps.audit.migrations.0012_verified_head").Migration.operations
FOUND = import_module("apps.audit.migrations.0013_found_in_order").Migration.operations
STATES = import_module("apps.audit.migrations.0014_revision_states").Migration.operations


class Migration(migrations.Migration):
    """In one: what it replaces, for a database that has none of it."""

    atomic = False  # as the last of them
    replaces = [
        ("audit", "0012_verified_head"),
        ("audit", "0013_found_in_order"),
        ("audit", "0014_revision_states"),
    ]
    dependencies = [("audit", "0011_log_time")]

    operations = [*HEAD, *FOUND, *STATES]
