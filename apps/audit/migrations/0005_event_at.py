"""Find the events since a time without reading the whole log backwards."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the log is appended to while its index is made
    dependencies = [("audit", "0004_system_key")]

    operations = [
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(fields=["at"], name="audit_event_at"),
        ),
    ]
