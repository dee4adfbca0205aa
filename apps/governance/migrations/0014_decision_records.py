"""Keeps with each decision what the page of the release showed to who made it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Of earlier decisions nobody wrote it down: their pages say so."""

    dependencies = [("governance", "0013_request_changes")]

    operations = [
        migrations.CreateModel(
            name="DecisionRecord",
            fields=[
                (
                    "decision",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="record",
                        serialize=False,
                        to="governance.decision",
                    ),
                ),
                ("person", models.CharField(max_length=40)),
                ("digest", models.CharField(max_length=71)),
                ("document", models.TextField()),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="identity.project",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
    ]
