"""List the newest releases of one state without reading all the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("governance", "0002_decided_and_open")]

    operations = [
        migrations.AddIndex(
            model_name="release",
            index=models.Index(fields=["state", "id"], name="governance_state"),
        ),
    ]
