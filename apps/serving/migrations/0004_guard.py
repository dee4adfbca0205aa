"""Adds the guard of a revision that is tried out: when its node takes the requests back."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("serving", "0003_tried_on")]

    operations = [
        migrations.AddField("revision", "guard", models.JSONField(blank=True, null=True)),
    ]
