"""Makes room for the verdict of who asks for changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """A longer text: nothing is written anew, and old code reads and writes it as before."""

    dependencies = [("governance", "0012_seen_live")]

    operations = [
        migrations.AlterField("decision", "verdict", models.CharField(max_length=20)),
    ]
