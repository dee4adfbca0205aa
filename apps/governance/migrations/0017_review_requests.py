"""Adds who was asked by name to review a release."""

import django.db.models.deletion
from django.db import migrations, models

import placet.kernel.ids

PROTECT = django.db.models.deletion.PROTECT


class Migration(migrations.Migration):
    """Nobody was asked by name before."""

    dependencies = [("governance", "0016_promote")]

    operations = [
        migrations.CreateModel(
            name="ReviewRequest",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="rrq", serialize=False)),
                ("person", models.CharField(max_length=40)),
                ("requested_by", models.CharField(max_length=40)),
                ("requested_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(blank=True, null=True)),
                ("overdue_at", models.DateTimeField(blank=True, null=True)),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "project",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="identity.project"),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=PROTECT, related_name="review_requests", to="governance.release"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["release", "person"], name="governance_one_review_request"
                    )
                ],
            },
        ),
    ]
