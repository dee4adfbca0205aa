"""What a new database gets in place of migrations 0001 to 0009: the same in one step.

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
        ("serving", "0001_initial"),
        ("serving", "0002_what_runs_and_why"),
        ("serving", "0003_tried_on"),
        ("serving", "0004_guard"),
        ("serving", "0005_target_uses"),
        ("serving", "0006_noted"),
        ("serving", "0007_last_report"),
        ("serving", "0008_deleted"),
        ("serving", "0009_stopped_at"),
    ]
    dependencies = [
        ("builds", "0001_initial"),
        ("identity", "0007_position"),
    ]

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="Target",
                fields=[
                    ("id", IdField(prefix="tgt", serialize=False)),
                    ("name", models.SlugField(max_length=60, unique=True)),
                    ("driver", models.CharField(max_length=20)),
                    (
                        "site",
                        models.CharField(
                            choices=[
                                ("on-premise", "On Premise"),
                                ("cloud", "Cloud"),
                                ("edge", "Edge"),
                            ],
                            default="on-premise",
                            max_length=10,
                        ),
                    ),
                    ("labels", models.JSONField(default=dict)),
                    ("capacity_mb", models.IntegerField(default=4096)),
                    ("url", models.CharField(blank=True, max_length=200)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("revision", models.IntegerField(default=1)),
                    ("on_expired", models.CharField(default="serve", max_length=5)),
                    (
                        "owner",
                        models.CharField(blank=True, db_default="", default="", max_length=40),
                    ),
                ],
            ),
            migrations.CreateModel(
                name="Endpoint",
                fields=[
                    ("id", IdField(prefix="end", serialize=False)),
                    ("environment", models.CharField(max_length=40)),
                    ("name", models.SlugField(max_length=60)),
                    ("state", models.CharField(default="active", max_length=10)),
                    ("api_key_required", models.BooleanField(default=False)),
                    ("created_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("generation", models.IntegerField(default=0)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="endpoints",
                            to="identity.project",
                        ),
                    ),
                    (
                        "target",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="endpoints", to="serving.target"
                        ),
                    ),
                    ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("project", "environment", "name"),
                            condition=~Q(state="deleted"),
                            name="serving_endpoint_kept_name",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="EndpointKey",
                fields=[
                    ("id", IdField(prefix="epk", serialize=False)),
                    ("name", models.CharField(max_length=120)),
                    ("secret_hash", models.CharField(max_length=64)),
                    ("created_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("revoked_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.CASCADE, related_name="keys", to="serving.endpoint"
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                ],
            ),
            migrations.CreateModel(
                name="Node",
                fields=[
                    ("id", IdField(prefix="nod", serialize=False)),
                    ("public_key", models.CharField(max_length=64)),
                    ("agent_version", models.CharField(blank=True, max_length=20)),
                    ("platform", models.JSONField(default=dict)),
                    ("last_seen_at", models.DateTimeField(blank=True, null=True)),
                    ("report", models.JSONField(default=dict)),
                    ("report_number", models.BigIntegerField(default=0)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "target",
                        models.OneToOneField(
                            on_delete=models.PROTECT, related_name="node", to="serving.target"
                        ),
                    ),
                    ("fault", models.CharField(blank=True, max_length=40)),
                    ("noted", models.JSONField(db_default={}, default=dict)),
                    ("left_out", models.JSONField(db_default=[], default=list)),
                    ("last_report_at", models.DateTimeField(blank=True, null=True)),
                ],
            ),
            migrations.CreateModel(
                name="JoinToken",
                fields=[
                    (
                        "secret_hash",
                        models.CharField(max_length=64, primary_key=True, serialize=False),
                    ),
                    ("expires_at", models.DateTimeField()),
                    ("used_at", models.DateTimeField(blank=True, null=True)),
                    ("target", models.ForeignKey(on_delete=models.CASCADE, to="serving.target")),
                    ("used_by", models.CharField(blank=True, max_length=64)),
                ],
            ),
            migrations.CreateModel(
                name="DesiredState",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("epoch", models.IntegerField(default=1)),
                    ("number", models.BigIntegerField(default=0)),
                    ("content_digest", models.CharField(blank=True, max_length=71)),
                    ("envelope", models.TextField(blank=True)),
                    ("signed_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "target",
                        models.OneToOneField(
                            on_delete=models.CASCADE, related_name="desired", to="serving.target"
                        ),
                    ),
                ],
            ),
            migrations.CreateModel(
                name="Revision",
                fields=[
                    ("id", IdField(prefix="rev", serialize=False)),
                    ("number", models.IntegerField()),
                    ("release", models.CharField(max_length=40)),
                    ("permit", models.TextField()),
                    ("replicas", models.IntegerField(default=1)),
                    ("memory_mb", models.IntegerField(default=1024)),
                    ("variables", models.JSONField(default=dict)),
                    ("weight", models.IntegerField(default=0)),
                    (
                        "state",
                        models.CharField(
                            choices=[
                                ("starting", "Starting"),
                                ("ready", "Ready"),
                                ("live", "Live"),
                                ("warm", "Warm"),
                                ("draining", "Draining"),
                                ("stopped", "Stopped"),
                                ("failed", "Failed"),
                            ],
                            default="starting",
                            max_length=10,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("restart_nonce", models.IntegerField(default=0)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("live_at", models.DateTimeField(blank=True, null=True)),
                    ("ended_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "bento",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="revisions", to="builds.bento"
                        ),
                    ),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="revisions",
                            to="serving.endpoint",
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    ("serving", models.JSONField(default=dict)),
                    ("warm_until", models.DateTimeField(blank=True, null=True)),
                    (
                        "salt",
                        models.CharField(blank=True, db_default="", default="", max_length=32),
                    ),
                    ("header_route", models.JSONField(blank=True, null=True)),
                    ("mirror", models.IntegerField(db_default=0, default=0)),
                    ("guard", models.JSONField(blank=True, null=True)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("endpoint", "number"), name="serving_revision_number"
                        ),
                        models.UniqueConstraint(
                            condition=Q(("state", "live")),
                            fields=("endpoint",),
                            name="serving_one_live",
                        ),
                        models.CheckConstraint(
                            condition=Q(("weight__gte", 0), ("weight__lte", 10000)),
                            name="serving_weight_range",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Prefetch",
                fields=[
                    ("id", IdField(prefix="pre", serialize=False)),
                    ("holder", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "bento",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="builds.bento"
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "target",
                        models.ForeignKey(
                            on_delete=models.CASCADE, related_name="prefetches", to="serving.target"
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("target", "bento", "holder"), name="serving_prefetch_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="TargetUse",
                fields=[
                    ("id", IdField(prefix="use", serialize=False)),
                    ("environment", models.CharField(blank=True, max_length=40)),
                    ("created_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "target",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="uses", to="serving.target"
                        ),
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
        ),
    ]
