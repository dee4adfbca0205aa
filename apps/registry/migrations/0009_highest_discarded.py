"""The highest number of a draft that was discarded: no other version of its model gets it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("registry", "0008_stored_content")]

    operations = [
        migrations.AddField(
            "registeredmodel", "highest_discarded", models.IntegerField(db_default=0, default=0)
        ),
    ]
