"""Keeps when an erasure was last tried: of those that wait, the one for longest has its turn."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("monitoring", "0011_recall")]

    operations = [
        migrations.AddField("erasure", "tried_at", models.DateTimeField(null=True, blank=True)),
    ]
