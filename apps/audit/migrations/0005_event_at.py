"""Find the events since a time without reading the whole log backwards."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_system_key")]

    operations = [
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["at"], name="audit_event_at"),
        ),
    ]
