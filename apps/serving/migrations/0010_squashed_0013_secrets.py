"""Says from when until when a revision had requests, who stopped an endpoint, and why,
since when a node has reported an error, and keeps secrets of environments."""

from importlib import import_module

from django.db import migrations

SERVED = import_module("apps.serving.migrations.0010_served").Migration.operations
STOPPED_BY = import_module("apps.serving.migrations.0011_stopped_by").Migration.operations
ERRORS_SINCE = import_module("apps.serving.migrations.0012_errors_since").Migration.operations
SECRETS = import_module("apps.serving.migrations.0013_secrets").Migration.operations


class Migration(migrations.Migration):
    """In one: what it replaces, for a database that has none of it."""

    replaces = [
        ("serving", "0010_served"),
        ("serving", "0011_stopped_by"),
        ("serving", "0012_errors_since"),
        ("serving", "0013_secrets"),
    ]
    dependencies = [
        ("identity", "0004_squashed_0012_reactivated_at"),
        ("serving", "0009_stopped_at"),
    ]

    operations = [*SERVED, *STOPPED_BY, *ERRORS_SINCE, *SECRETS]
