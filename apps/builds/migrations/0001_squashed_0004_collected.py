"""What a new database gets in place of migrations 0001 to 0004: the same in one step.

A database that has applied some of them goes on with the others themselves.
"""

from django.db import migrations, models
from django.db.models import Q

from placet.kernel.ids import IdField
from placet.kernel.tables import MakeTables


class Migration(migrations.Migration):
    """See the module."""

    initial = True
    replaces = [
        ("builds", "0001_initial"),
        ("builds", "0002_one_open_build_and_papers"),
        ("builds", "0003_accelerate"),
        ("builds", "0004_collected"),
    ]
    dependencies = [
        ("identity", "0001_initial"),
        ("registry", "0001_initial"),
    ]

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="Runtime",
                fields=[
                    ("digest", models.CharField(max_length=71, primary_key=True, serialize=False)),
                    ("python_version", models.CharField(max_length=10)),
                    ("lock", models.TextField()),
                    ("wheels", models.JSONField(default=list)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("collected_at", models.DateTimeField(blank=True, null=True)),
                ],
            ),
            migrations.CreateModel(
                name="Build",
                fields=[
                    ("id", IdField(prefix="bld", serialize=False)),
                    (
                        "state",
                        models.CharField(
                            choices=[
                                ("queued", "Queued"),
                                ("running", "Running"),
                                ("succeeded", "Succeeded"),
                                ("failed", "Failed"),
                                ("cancelled", "Cancelled"),
                            ],
                            default="queued",
                            max_length=10,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("step", models.CharField(blank=True, max_length=30)),
                    ("isolation", models.CharField(blank=True, max_length=20)),
                    ("error", models.TextField(blank=True)),
                    ("bento_digest", models.CharField(blank=True, max_length=71)),
                    ("requested_by", models.CharField(max_length=40)),
                    ("job", models.CharField(blank=True, max_length=40)),
                    ("timings", models.JSONField(default=dict)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("started_at", models.DateTimeField(blank=True, null=True)),
                    ("finished_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "version",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="builds",
                            to="registry.modelversion",
                        ),
                    ),
                    ("accelerate", models.BooleanField(db_default=False, default=False)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            condition=Q(("state__in", ["queued", "running"])),
                            fields=("version",),
                            name="builds_one_open",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Bento",
                fields=[
                    ("digest", models.CharField(max_length=71, primary_key=True, serialize=False)),
                    ("size", models.BigIntegerField()),
                    ("provenance", models.TextField()),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "version",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="bentos",
                            to="registry.modelversion",
                        ),
                    ),
                    (
                        "build",
                        models.OneToOneField(
                            on_delete=models.PROTECT, related_name="bento", to="builds.build"
                        ),
                    ),
                    (
                        "runtime",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="bentos", to="builds.runtime"
                        ),
                    ),
                    ("sbom", models.CharField(max_length=64)),
                    ("model_signature", models.TextField(blank=True)),
                    ("accelerated", models.BooleanField(db_default=False, default=False)),
                    ("collected_at", models.DateTimeField(blank=True, null=True)),
                ],
            ),
            migrations.CreateModel(
                name="BuildLine",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("number", models.IntegerField()),
                    ("at", models.DateTimeField()),
                    ("step", models.CharField(max_length=30)),
                    ("text", models.TextField()),
                    (
                        "build",
                        models.ForeignKey(
                            on_delete=models.CASCADE, related_name="lines", to="builds.build"
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("build", "number"), name="builds_line_number"
                        )
                    ],
                },
            ),
        ),
    ]
