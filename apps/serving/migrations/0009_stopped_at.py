"""Says since when an endpoint is stopped."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Those that are stopped already have no such time: nobody wrote it down."""

    dependencies = [("serving", "0008_deleted")]

    operations = [
        migrations.AddField(
            "endpoint", "stopped_at", models.DateTimeField(blank=True, null=True)
        ),
    ]
