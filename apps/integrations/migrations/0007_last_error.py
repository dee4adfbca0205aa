"""Adds what came of the last attempt at a webhook, and who disabled it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Of those that there are neither is known: both stay empty until it happens again."""

    dependencies = [("integrations", "0006_revoked")]

    operations = [
        migrations.AddField(
            "webhook", "last_error", models.TextField(blank=True, db_default="", default="")
        ),
        migrations.AddField(
            "webhook",
            "disabled_by",
            models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
    ]
