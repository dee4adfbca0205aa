"""Adds the salt that draws which units a revision gets."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("serving", "0002_what_runs_and_why")]

    operations = [
        migrations.AddField("revision", "salt", models.CharField(blank=True, db_default="", default="", max_length=32)),
    ]
