"""Adds the plans that are ready to be chosen in one environment."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("governance", "0003_release_state")]

    operations = [
        migrations.AddField(
            "environment", "plans", models.JSONField(db_default={}, default=dict)
        ),
    ]
