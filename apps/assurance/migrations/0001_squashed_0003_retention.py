"""What a new database gets in place of migrations 0001 to 0003: the same in one step.

A database that has applied some of them goes on with the others themselves.
"""

from django.db import migrations, models
from django.db.models import Q

from placet.kernel.ids import IdField
from placet.kernel.tables import MakeTables

FORWARD = """
CREATE FUNCTION assurance_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'receipts are append-only: % is refused', TG_OP
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER assurance_receipt_append_only BEFORE UPDATE OR DELETE ON assurance_receipt
  FOR EACH ROW EXECUTE FUNCTION assurance_refuse_change();
"""


class Migration(migrations.Migration):
    """See the module."""

    initial = True
    replaces = [
        ("assurance", "0001_initial"),
        ("assurance", "0002_receipts_stay"),
        ("assurance", "0003_retention"),
    ]
    dependencies = [
        ("governance", "0006_on_recall"),
        ("identity", "0006_approver_passkey"),
        ("serving", "0004_guard"),
    ]

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="Recall",
                fields=[
                    ("id", IdField(prefix="rcl", serialize=False)),
                    (
                        "kind",
                        models.CharField(
                            choices=[
                                ("version", "Version"),
                                ("bento", "Bento"),
                                ("dataset", "Dataset"),
                                ("wheel", "Wheel"),
                                ("key", "Key"),
                                ("passkey", "Passkey"),
                                ("person", "A person's decisions"),
                            ],
                            max_length=8,
                        ),
                    ),
                    ("what", models.CharField(max_length=80)),
                    ("reason_sealed", models.CharField(max_length=71)),
                    ("names", models.JSONField()),
                    ("envelope", models.TextField()),
                    ("statement_digest", models.CharField(max_length=71)),
                    (
                        "state",
                        models.CharField(
                            choices=[("standing", "Standing"), ("lifted", "Lifted")],
                            default="standing",
                            max_length=8,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("recalled_by", models.CharField(max_length=40)),
                    ("recaller", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("lifted_by", models.CharField(blank=True, max_length=40)),
                    ("lift_reason_sealed", models.CharField(blank=True, max_length=71)),
                    ("lift_envelope", models.TextField(blank=True)),
                    ("lifted_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "project",
                        models.ForeignKey(
                            blank=True,
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="recalls",
                            to="identity.project",
                        ),
                    ),
                ],
                options={
                    "indexes": [models.Index(fields=["state"], name="assurance_recall_state")],
                    "constraints": [
                        models.UniqueConstraint(
                            condition=Q(("state", "standing")),
                            fields=("kind", "what", "project"),
                            name="assurance_one_standing",
                            nulls_distinct=False,
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="RecallEffect",
                fields=[
                    ("id", IdField(prefix="rce", serialize=False)),
                    ("revisions", models.JSONField(default=list)),
                    (
                        "action",
                        models.CharField(
                            choices=[
                                ("fell_back", "Fell back"),
                                ("stopped", "Stopped"),
                                ("ended", "Ended"),
                                ("revoked", "Revoked"),
                            ],
                            max_length=10,
                        ),
                    ),
                    ("fallback", models.CharField(blank=True, max_length=40)),
                    (
                        "state",
                        models.CharField(
                            choices=[
                                ("open", "Open"),
                                ("confirmed", "Confirmed"),
                                ("contradicted", "Contradicted"),
                                ("never_ran", "Never ran"),
                            ],
                            default="open",
                            max_length=12,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("receipt", models.CharField(blank=True, max_length=40)),
                    ("confirmed_at", models.DateTimeField(blank=True, null=True)),
                    ("contradiction", models.CharField(blank=True, max_length=20)),
                    (
                        "endpoint",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="recalls", to="serving.endpoint"
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "recall",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="effects", to="assurance.recall"
                        ),
                    ),
                    (
                        "release",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="recalls",
                            to="governance.release",
                        ),
                    ),
                    (
                        "target",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="serving.target"
                        ),
                    ),
                ],
                options={
                    "indexes": [
                        models.Index(fields=["target", "state"], name="assurance_effect_target")
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("recall", "release"), name="assurance_effect_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Receipt",
                fields=[
                    ("id", IdField(prefix="rct", serialize=False)),
                    ("public_key", models.CharField(max_length=64)),
                    (
                        "kind",
                        models.CharField(
                            choices=[("ran", "Ran"), ("stopped", "Stopped")], max_length=8
                        ),
                    ),
                    ("digest", models.CharField(max_length=71, unique=True)),
                    ("envelope", models.TextField()),
                    ("recall", models.CharField(blank=True, max_length=40)),
                    ("endpoint", models.CharField(blank=True, max_length=40)),
                    ("release", models.CharField(blank=True, max_length=40)),
                    ("revision", models.CharField(blank=True, max_length=40)),
                    ("bento_digest", models.CharField(blank=True, max_length=71)),
                    ("started_at", models.DateTimeField(blank=True, null=True)),
                    ("at", models.DateTimeField()),
                    ("received_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "node",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="receipts", to="serving.node"
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            blank=True,
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="+",
                            to="identity.project",
                        ),
                    ),
                    (
                        "target",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="serving.target"
                        ),
                    ),
                ],
                options={
                    "indexes": [
                        models.Index(fields=["endpoint", "-id"], name="assurance_receipt_endpoint"),
                        models.Index(fields=["recall"], name="assurance_receipt_recall"),
                    ],
                },
            ),
            migrations.CreateModel(
                name="LegalHold",
                fields=[
                    ("id", IdField(prefix="lgh", serialize=False)),
                    ("name", models.CharField(max_length=60, unique=True)),
                    (
                        "scope",
                        models.CharField(
                            choices=[
                                ("everything", "Everything"),
                                ("project", "A project"),
                                ("person", "A person"),
                                ("object", "An object"),
                            ],
                            max_length=10,
                        ),
                    ),
                    ("subject", models.CharField(blank=True, max_length=60)),
                    ("reason_sealed", models.CharField(max_length=71)),
                    (
                        "state",
                        models.CharField(
                            choices=[("standing", "Standing"), ("lifted", "Lifted")],
                            default="standing",
                            max_length=8,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("placed_by", models.CharField(max_length=40)),
                    ("placer", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("lifted_by", models.CharField(blank=True, max_length=40)),
                    ("lift_reason_sealed", models.CharField(blank=True, max_length=71)),
                    ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ],
            ),
            migrations.CreateModel(
                name="Retention",
                fields=[
                    (
                        "id",
                        models.CharField(
                            default="retention", max_length=20, primary_key=True, serialize=False
                        ),
                    ),
                    ("days", models.PositiveIntegerField()),
                    ("set_by", models.CharField(max_length=40)),
                    ("set_at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.CheckConstraint(
                            condition=Q(("id", "retention")), name="assurance_one_rule"
                        )
                    ],
                },
            ),
        ),
        migrations.RunSQL(FORWARD),
    ]
