"""Keeps since when a node has reported an error."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("serving", "0011_stopped_by")]

    operations = [
        migrations.AddField("node", "errors_since", models.JSONField(default=dict, db_default={})),
    ]
