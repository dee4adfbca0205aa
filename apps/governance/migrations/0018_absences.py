"""Adds who is away, and who stands in for them."""

from django.db import migrations, models

import placet.kernel.ids


class Migration(migrations.Migration):
    """Nobody is away until they say so."""

    dependencies = [("governance", "0017_review_requests")]

    operations = [
        migrations.CreateModel(
            name="Absence",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="abs", serialize=False)),
                ("person", models.CharField(max_length=40, unique=True)),
                ("deputy", models.CharField(max_length=40)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("cleared_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={"abstract": False},
        ),
    ]
