"""Adds who answers for a target, and which projects and environments may use it.

The entries of the environments that there are come with governance's migration of that name.
"""

import django.db.models.deletion
from django.db import migrations, models

import placet.kernel.ids

PROTECT = django.db.models.deletion.PROTECT


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("identity", "0007_position"), ("serving", "0004_guard")]

    operations = [
        migrations.AddField(
            "target", "owner", models.CharField(blank=True, db_default="", default="", max_length=40)
        ),
        migrations.CreateModel(
            name="TargetUse",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="use", serialize=False)),
                ("environment", models.CharField(blank=True, max_length=40)),
                ("created_by", models.CharField(max_length=40)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="identity.project"),
                ),
                (
                    "target",
                    models.ForeignKey(on_delete=PROTECT, related_name="uses", to="serving.target"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("target", "project", "environment"),
                        name="serving_target_use_once",
                    )
                ],
            },
        ),
    ]
