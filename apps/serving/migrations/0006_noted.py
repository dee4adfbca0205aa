"""Adds what was last logged of a node, and when; and what cannot be put into its state."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("serving", "0005_target_uses")]

    operations = [
        migrations.AddField("node", "noted", models.JSONField(default=dict, db_default={})),
        migrations.AddField("node", "left_out", models.JSONField(default=list, db_default=[])),
    ]
