"""What a new database gets in place of migrations 0001 to 0009: the same in one step.

A database that has applied some of them goes on with the others themselves.
"""

from django.db import migrations, models
from django.db.models import Q

from placet.kernel.ids import IdField
from placet.kernel.tables import MakeTables

FORWARD = """
CREATE FUNCTION governance_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what people signed is append-only: % is refused', TG_OP
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER governance_glass_append_only BEFORE UPDATE OR DELETE
  ON governance_breakglasssignature
  FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
"""


class Migration(migrations.Migration):
    """See the module."""

    initial = True
    replaces = [
        ("governance", "0001_initial"),
        ("governance", "0002_decided_and_open"),
        ("governance", "0003_release_state"),
        ("governance", "0004_plans"),
        ("governance", "0005_passkeys"),
        ("governance", "0006_on_recall"),
        ("governance", "0007_break_glass"),
        ("governance", "0008_standing"),
        ("governance", "0009_target_uses"),
    ]
    dependencies = [
        ("audit", "0010_event_filters"),
        ("builds", "0001_initial"),
        ("identity", "0006_approver_passkey"),
        ("registry", "0001_initial"),
        ("serving", "0005_target_uses"),
    ]

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="Environment",
                fields=[
                    ("id", IdField(prefix="env", serialize=False)),
                    ("name", models.SlugField(max_length=40)),
                    ("position", models.IntegerField()),
                    ("on_state_expired", models.CharField(default="serve", max_length=5)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("revision", models.IntegerField(default=1)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="environments",
                            to="identity.project",
                        ),
                    ),
                    (
                        "targets",
                        models.ManyToManyField(related_name="environments", to="serving.target"),
                    ),
                    ("plans", models.JSONField(db_default={}, default=dict)),
                    (
                        "on_recall",
                        models.CharField(db_default="fall_back", default="fall_back", max_length=9),
                    ),
                ],
                options={
                    "ordering": ["position"],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("project", "name"), name="governance_environment_name"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Freeze",
                fields=[
                    ("id", IdField(prefix="frz", serialize=False)),
                    ("reason", models.TextField()),
                    ("starts_at", models.DateTimeField()),
                    ("ends_at", models.DateTimeField(blank=True, null=True)),
                    ("created_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("lifted_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "environment",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="freezes",
                            to="governance.environment",
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
                name="PolicyRevision",
                fields=[
                    ("id", IdField(prefix="pol", serialize=False)),
                    ("number", models.IntegerField()),
                    ("state", models.CharField(default="draft", max_length=10)),
                    ("generation", models.IntegerField(default=0)),
                    ("source", models.TextField()),
                    ("document", models.JSONField()),
                    ("digest", models.CharField(max_length=71)),
                    ("envelope", models.TextField(blank=True)),
                    ("drafted_by", models.CharField(max_length=40)),
                    ("published_by", models.CharField(blank=True, max_length=40)),
                    ("published_at", models.DateTimeField(blank=True, null=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "environment",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="policies",
                            to="governance.environment",
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    ("assertion", models.JSONField(blank=True, null=True)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("environment", "number"), name="governance_policy_number"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Release",
                fields=[
                    ("id", IdField(prefix="rel", serialize=False)),
                    ("number", models.IntegerField()),
                    ("plan", models.JSONField()),
                    ("serving", models.JSONField()),
                    ("evidence", models.JSONField(default=list)),
                    ("reason", models.TextField(blank=True)),
                    (
                        "state",
                        models.CharField(
                            choices=[
                                ("requested", "Requested"),
                                ("approved", "Approved"),
                                ("rolling_out", "Rolling Out"),
                                ("live", "Live"),
                                ("superseded", "Superseded"),
                                ("rejected", "Rejected"),
                                ("withdrawn", "Withdrawn"),
                                ("expired", "Expired"),
                                ("failed", "Failed"),
                                ("rolled_back", "Rolled Back"),
                                ("revoked", "Revoked"),
                            ],
                            default="requested",
                            max_length=12,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("requested_by", models.CharField(max_length=40)),
                    ("requester", models.CharField(max_length=40)),
                    ("request_envelope", models.TextField(blank=True)),
                    ("request_digest", models.CharField(blank=True, max_length=71)),
                    ("gates", models.JSONField(default=list)),
                    ("not_after", models.DateTimeField()),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("approved_at", models.DateTimeField(blank=True, null=True)),
                    ("live_at", models.DateTimeField(blank=True, null=True)),
                    ("ended_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "bento",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="releases", to="builds.bento"
                        ),
                    ),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="releases", to="serving.endpoint"
                        ),
                    ),
                    (
                        "environment",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="releases",
                            to="governance.environment",
                        ),
                    ),
                    (
                        "policy",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="releases",
                            to="governance.policyrevision",
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="releases", to="identity.project"
                        ),
                    ),
                    (
                        "version",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="releases",
                            to="registry.modelversion",
                        ),
                    ),
                    ("ended_reason", models.TextField(blank=True)),
                    ("evaluated_at", models.DateTimeField(blank=True, null=True)),
                    ("quorum_met", models.BooleanField(default=False)),
                ],
                options={
                    "indexes": [
                        models.Index(
                            condition=Q(("state__in", ("requested", "approved"))),
                            fields=["not_after"],
                            name="governance_unfinished",
                        ),
                        models.Index(
                            condition=Q(("quorum_met", True), ("state", "requested")),
                            fields=["created_at"],
                            name="governance_decided",
                        ),
                        models.Index(fields=["environment", "bento"], name="governance_soak"),
                        models.Index(fields=["state", "id"], name="governance_state"),
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("project", "number"), name="governance_release_number"
                        ),
                        models.UniqueConstraint(
                            condition=Q(("state", "rolling_out")),
                            fields=("endpoint",),
                            name="governance_one_rolling_out",
                        ),
                        models.UniqueConstraint(
                            condition=Q(("state", "live")),
                            fields=("endpoint",),
                            name="governance_one_live",
                        ),
                        models.UniqueConstraint(
                            condition=Q(("state__in", ("requested", "approved", "rolling_out"))),
                            fields=("endpoint", "bento"),
                            name="governance_one_open",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Decision",
                fields=[
                    ("id", IdField(prefix="dec", serialize=False)),
                    ("person", models.CharField(max_length=40)),
                    ("role", models.CharField(max_length=20)),
                    ("verdict", models.CharField(max_length=10)),
                    ("comment_sealed", models.CharField(blank=True, max_length=71)),
                    ("statement_digest", models.CharField(max_length=71)),
                    ("envelope", models.TextField()),
                    ("gates", models.JSONField(default=list)),
                    ("voided_reason", models.CharField(blank=True, max_length=60)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "release",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="decisions",
                            to="governance.release",
                        ),
                    ),
                    ("assertion", models.JSONField(blank=True, null=True)),
                    ("standing", models.JSONField(blank=True, null=True)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            condition=Q(("voided_reason", "")),
                            fields=("release", "person"),
                            name="governance_one_decision_each",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Comment",
                fields=[
                    ("id", IdField(prefix="cmt", serialize=False)),
                    ("author", models.CharField(max_length=40)),
                    ("text_sealed", models.CharField(max_length=71)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "release",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="comments",
                            to="governance.release",
                        ),
                    ),
                ],
            ),
            migrations.CreateModel(
                name="BreakGlass",
                fields=[
                    ("id", IdField(prefix="bgl", serialize=False)),
                    ("state", models.CharField(default="opened", max_length=9)),
                    ("generation", models.IntegerField(default=0)),
                    ("statement_digest", models.CharField(max_length=71)),
                    ("opening_digest", models.CharField(max_length=71)),
                    ("reason_sealed", models.CharField(max_length=71)),
                    ("people", models.IntegerField()),
                    ("review_days", models.IntegerField()),
                    ("opened_by", models.CharField(max_length=40)),
                    ("opened_at", models.DateTimeField()),
                    ("until", models.DateTimeField()),
                    ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                    ("used_at", models.DateTimeField(blank=True, null=True)),
                    ("ended_at", models.DateTimeField(blank=True, null=True)),
                    ("review_due_at", models.DateTimeField(blank=True, null=True)),
                    ("reviewed_at", models.DateTimeField(blank=True, null=True)),
                    ("reviewed_by", models.CharField(blank=True, max_length=40)),
                    ("finding", models.CharField(blank=True, max_length=13)),
                    ("findings_sealed", models.CharField(blank=True, max_length=71)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "release",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="break_glasses",
                            to="governance.release",
                        ),
                    ),
                ],
                options={
                    "indexes": [
                        models.Index(
                            condition=Q(("state__in", ("opened", "confirmed"))),
                            fields=["until"],
                            name="governance_glass_open",
                        ),
                        models.Index(
                            condition=Q(
                                ("review_due_at__isnull", False), ("reviewed_at__isnull", True)
                            ),
                            fields=["project", "review_due_at"],
                            name="governance_glass_review",
                        ),
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=Q(("state__in", ("opened", "confirmed"))),
                            fields=("release",),
                            name="governance_one_glass",
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="BreakGlassSignature",
                fields=[
                    ("id", IdField(prefix="bgs", serialize=False)),
                    ("person", models.CharField(max_length=40)),
                    ("role", models.CharField(max_length=20)),
                    ("comment_sealed", models.CharField(blank=True, max_length=71)),
                    ("envelope", models.TextField()),
                    ("assertion", models.JSONField(blank=True, null=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "glass",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="signatures",
                            to="governance.breakglass",
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("glass", "person"), name="governance_one_glass_each"
                        )
                    ],
                },
            ),
        ),
        migrations.RunSQL(FORWARD),
        # 0009_target_uses enters environments and endpoints that there are into the lists of
        # their targets: a new database has none.
    ]
