"""What an endpoint of an environment does when what is live behind it is recalled."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("governance", "0005_passkeys")]

    operations = [
        migrations.AddField(
            "environment",
            "on_recall",
            models.CharField(db_default="fall_back", default="fall_back", max_length=9),
        ),
    ]
