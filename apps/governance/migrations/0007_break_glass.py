"""Break-glasses, and what people signed to open and confirm them, which stays as it is."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import placet.kernel.ids

PROTECT = django.db.models.deletion.PROTECT
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
BACKWARD = """
DROP TRIGGER governance_glass_append_only ON governance_breakglasssignature;
DROP FUNCTION governance_refuse_change();
"""


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [
        ("identity", "0006_approver_passkey"),
        ("governance", "0006_on_recall"),
    ]

    operations = [
        migrations.CreateModel(
            name="BreakGlass",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="bgl", serialize=False)),
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
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="identity.project"),
                ),
                (
                    "release",
                    models.ForeignKey(
                        on_delete=PROTECT, related_name="break_glasses", to="governance.release"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=Q(state__in=("opened", "confirmed")),
                        fields=["until"],
                        name="governance_glass_open",
                    ),
                    models.Index(
                        condition=Q(review_due_at__isnull=False, reviewed_at__isnull=True),
                        fields=["project", "review_due_at"],
                        name="governance_glass_review",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(state__in=("opened", "confirmed")),
                        fields=("release",),
                        name="governance_one_glass",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BreakGlassSignature",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="bgs", serialize=False)),
                ("person", models.CharField(max_length=40)),
                ("role", models.CharField(max_length=20)),
                ("comment_sealed", models.CharField(blank=True, max_length=71)),
                ("envelope", models.TextField()),
                ("assertion", models.JSONField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "glass",
                    models.ForeignKey(
                        on_delete=PROTECT, related_name="signatures", to="governance.breakglass"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(on_delete=PROTECT, related_name="+", to="identity.project"),
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
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
