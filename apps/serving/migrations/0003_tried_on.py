"""Adds whom a revision is tried on: the salt that draws units, a header for testers, copies."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("serving", "0002_what_runs_and_why")]

    operations = [
        migrations.AddField("revision", "salt", models.CharField(blank=True, db_default="", default="", max_length=32)),
        migrations.AddField("revision", "header_route", models.JSONField(blank=True, null=True)),
        migrations.AddField("revision", "mirror", models.IntegerField(db_default=0, default=0)),
    ]
