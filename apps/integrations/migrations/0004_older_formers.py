"""Lets several former secrets of a webhook sign beside the one in use."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Those before the last former one; empty at first."""

    dependencies = [("integrations", "0003_webhooks")]

    operations = [
        migrations.AddField(
            "webhook", "older_formers", models.JSONField(db_default=[], default=list)
        ),
    ]
