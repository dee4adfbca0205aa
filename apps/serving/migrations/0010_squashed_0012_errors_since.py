"""Says from when until when a revision had requests, who stopped an endpoint, and why,
and since when a node has reported an error."""

from importlib import import_module

from django.db import migrations

SERVED = import_module("apps.serving.migrations.0010_served").Migration.operations
STOPPED_BY = import_module("apps.serving.migrations.0011_stopped_by").Migration.operations
ERRORS_SINCE = import_module("apps.serving.migrations.0012_errors_since").Migration.operations


class Migration(migrations.Migration):
    """In one: what it replaces, for a database that has none of it."""

    replaces = [
        ("serving", "0010_served"),
        ("serving", "0011_stopped_by"),
        ("serving", "0012_errors_since"),
    ]
    dependencies = [("serving", "0009_stopped_at")]

    operations = [*SERVED, *STOPPED_BY, *ERRORS_SINCE]
