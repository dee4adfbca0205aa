"""Says from when until when a revision had requests, and how many at most."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Of what served before this nobody knows it but by when it went live."""

    dependencies = [("serving", "0009_stopped_at")]

    operations = [
        migrations.AddField(
            "revision", "first_served_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "revision", "last_served_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField("revision", "peak_weight", models.IntegerField(default=0, db_default=0)),
    ]
