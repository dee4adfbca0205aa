"""Says who stopped an endpoint, and why."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Of those that are stopped already the log knows it."""

    dependencies = [("serving", "0010_served")]

    operations = [
        migrations.AddField(
            "endpoint",
            "stopped_by",
            models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.AddField(
            "endpoint", "reason", models.TextField(blank=True, db_default="", default="")
        ),
    ]
