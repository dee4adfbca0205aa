"""Lets streams of two projects have one name, and adds webhooks and channels of chats."""

from importlib import import_module

from django.db import migrations

NAMES = import_module("apps.integrations.migrations.0002_names_of_projects").Migration
WEBHOOKS = import_module("apps.integrations.migrations.0003_webhooks").Migration
FORMERS = import_module("apps.integrations.migrations.0004_older_formers").Migration
SERVICES = import_module("apps.integrations.migrations.0005_services").Migration
REVOKED = import_module("apps.integrations.migrations.0006_revoked").Migration
LAST = import_module("apps.integrations.migrations.0007_last_error").Migration
FAULTS = import_module("apps.integrations.migrations.0008_faults").Migration


class Migration(migrations.Migration):
    """In one: what it replaces, for a database that has none of it."""

    replaces = [
        ("integrations", "0002_names_of_projects"),
        ("integrations", "0003_webhooks"),
        ("integrations", "0004_older_formers"),
        ("integrations", "0005_services"),
        ("integrations", "0006_revoked"),
        ("integrations", "0007_last_error"),
        ("integrations", "0008_faults"),
    ]
    dependencies = [
        ("identity", "0004_squashed_0012_reactivated_at"),
        ("integrations", "0001_initial"),
    ]

    operations = [
        *NAMES.operations,
        *WEBHOOKS.operations,
        *FORMERS.operations,
        *SERVICES.operations,
        *REVOKED.operations,
        *LAST.operations,
        *FAULTS.operations,
    ]
