"""Adds what opens a request in the next environment by itself, and what became of that."""

import django.db.models.deletion
from django.db import migrations, models

import placet.kernel.ids

PROTECT = django.db.models.deletion.PROTECT


class Migration(migrations.Migration):
    """Nothing opens by itself until somebody says so."""

    dependencies = [("governance", "0015_first_live_at")]

    operations = [
        migrations.AddField(
            "environment",
            "promote_to",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=PROTECT,
                related_name="+",
                to="governance.environment",
            ),
        ),
        migrations.AddField(
            "environment",
            "promote_plan",
            models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.AddField(
            "environment",
            "promote_set_by",
            models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.CreateModel(
            name="Promotion",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="prm", serialize=False)),
                ("why", models.TextField(blank=True)),
                ("set_by", models.CharField(max_length=40)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "environment",
                    models.ForeignKey(
                        on_delete=PROTECT, related_name="+", to="governance.environment"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="identity.project"),
                ),
                (
                    "release",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=PROTECT,
                        related_name="promotion",
                        to="governance.release",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=PROTECT, related_name="promotions", to="governance.release"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["source", "environment"], name="governance_one_promotion"
                    )
                ],
            },
        ),
    ]
