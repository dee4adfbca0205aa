"""Adds within how many days reviewers who are asked by name are to answer."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Nobody has a due date until somebody says so."""

    dependencies = [("governance", "0018_absences")]

    operations = [
        migrations.AddField("environment", "review_days", models.IntegerField(blank=True, null=True)),
    ]
