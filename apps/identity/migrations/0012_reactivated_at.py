"""Says when a person who had been deactivated was let in again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Of those that were let in again before it, the last sign-in was taken away to say so."""

    dependencies = [("identity", "0011_saved_view")]

    operations = [
        migrations.AddField(
            "user", "reactivated_at", models.DateTimeField(blank=True, null=True)
        ),
    ]
