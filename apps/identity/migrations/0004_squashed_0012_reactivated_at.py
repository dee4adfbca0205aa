"""What a new database gets in place of migrations 0004 to 0012: the same in one step.

A database that has applied some of them goes on with the others themselves.
"""

from importlib import import_module

from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

from placet.kernel.ids import IdField
from placet.kernel.tables import MakeTables

SAVED = import_module("apps.identity.migrations.0011_saved_view")
REACTIVATED = import_module("apps.identity.migrations.0012_reactivated_at").Migration.operations
# Counts every change of what lets a person sign in, where the application cannot take it back: its
# role may read the count and nothing more, for the triggers run as the owner. So a credential that
# was changed past Placet and changed back shows for ever.
TABLES = (
    "identity_user",
    "mfa_authenticator",
    "socialaccount_socialaccount",
    "account_emailaddress",
)
FORWARD = """
CREATE FUNCTION identity_hold_credentials(person text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO identity_credentialchanges AS c (person_id, count) VALUES (person, 0)
  ON CONFLICT (person_id) DO UPDATE SET count = c.count RETURNING c.count
$$;
CREATE FUNCTION identity_credential_part(line jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
  SELECT (line - ARRAY['last_login', 'last_used_at', 'extra_data'])
    #- '{data,name}' #- '{data,used_mask}' #- '{data,viewed_at}'
$$;
CREATE FUNCTION identity_count_credential_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  before jsonb := CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE identity_credential_part(to_jsonb(OLD)) END;
  later jsonb := CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE identity_credential_part(to_jsonb(NEW)) END;
BEGIN
  IF before IS DISTINCT FROM later THEN
    INSERT INTO identity_credentialchanges AS c (person_id, count)
    SELECT DISTINCT whose, 1
    FROM (VALUES (coalesce(before ->> 'user_id', before ->> 'id')),
                 (coalesce(later ->> 'user_id', later ->> 'id'))) AS people (whose)
    WHERE whose IS NOT NULL ORDER BY whose
    ON CONFLICT (person_id) DO UPDATE SET count = c.count + 1;
  END IF;
  RETURN NULL;
END $$;
""" + "".join(
    f"CREATE TRIGGER {table}_credentials AFTER INSERT OR UPDATE OR DELETE ON {table}"
    " FOR EACH ROW EXECUTE FUNCTION identity_count_credential_change();\n"
    for table in TABLES
)


class Migration(migrations.Migration):
    """See the module."""

    replaces = [
        ("identity", "0004_credential_changes"),
        ("identity", "0005_artifact_quota"),
        ("identity", "0006_approver_passkey"),
        ("identity", "0007_position"),
        ("identity", "0008_device_login"),
        ("identity", "0009_session_round"),
        ("identity", "0010_second_factor_demand"),
        ("identity", "0011_saved_view"),
        ("identity", "0012_reactivated_at"),
    ]
    dependencies = [
        ("account", "0009_emailaddress_unique_primary_email"),
        ("identity", "0003_shared_value"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="CredentialChanges",
                fields=[
                    (
                        "person_id",
                        models.CharField(max_length=40, primary_key=True, serialize=False),
                    ),
                    ("count", models.BigIntegerField()),
                ],
            ),
            migrations.CreateModel(
                name="SecondFactorDemand",
                fields=[
                    ("role", models.CharField(max_length=20, primary_key=True, serialize=False)),
                    ("demanded_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                ],
            ),
            migrations.CreateModel(
                name="ApproverPasskey",
                fields=[
                    ("id", IdField(prefix="pky", serialize=False)),
                    ("name", models.CharField(max_length=120)),
                    ("credential", models.CharField(max_length=1400, unique=True)),
                    ("public_key", models.TextField()),
                    ("rp_id", models.CharField(max_length=253)),
                    (
                        "state",
                        models.CharField(
                            choices=[
                                ("offered", "Offered"),
                                ("enrolled", "Enrolled"),
                                ("withdrawn", "Withdrawn"),
                            ],
                            default="offered",
                            max_length=10,
                        ),
                    ),
                    ("envelope", models.TextField(blank=True)),
                    ("assertion", models.JSONField(blank=True, null=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("enrolled_at", models.DateTimeField(blank=True, null=True)),
                    ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "person",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="passkeys",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    (
                        "vouched_by",
                        models.ForeignKey(
                            blank=True,
                            null=True,
                            on_delete=models.PROTECT,
                            to="identity.approverpasskey",
                        ),
                    ),
                ],
                options={
                    "verbose_name": "passkey",
                },
            ),
            migrations.CreateModel(
                name="Position",
                fields=[
                    ("id", IdField(prefix="pos", serialize=False)),
                    (
                        "line",
                        models.CharField(
                            blank=True,
                            choices=[
                                ("", "Not set"),
                                ("first", "First line"),
                                ("second", "Second line"),
                                ("third", "Third line"),
                            ],
                            default="",
                            max_length=6,
                            verbose_name="line of defence",
                        ),
                    ),
                    (
                        "top",
                        models.BooleanField(default=False, verbose_name="top of the organisation"),
                    ),
                    ("set_by", models.CharField(max_length=40)),
                    ("set_at", models.DateTimeField()),
                    (
                        "manager",
                        models.ForeignKey(
                            blank=True,
                            null=True,
                            on_delete=models.PROTECT,
                            related_name="reports",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                    (
                        "person",
                        models.OneToOneField(
                            on_delete=models.CASCADE,
                            related_name="position",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.CheckConstraint(
                            condition=Q(
                                ("manager__isnull", True),
                                Q(("manager", F("person")), _negated=True),
                                _connector="OR",
                            ),
                            name="identity_position_not_own_manager",
                        ),
                        models.CheckConstraint(
                            condition=Q(("top", False), ("manager__isnull", True), _connector="OR"),
                            name="identity_position_top_has_no_manager",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="DeviceLogin",
                fields=[
                    ("id", IdField(prefix="dev", serialize=False)),
                    ("device_hash", models.CharField(max_length=64)),
                    ("user_hash", models.CharField(max_length=64, unique=True)),
                    ("client", models.CharField(max_length=120)),
                    ("address", models.CharField(max_length=45)),
                    (
                        "state",
                        models.CharField(
                            choices=[
                                ("pending", "Pending"),
                                ("confirmed", "Confirmed"),
                                ("denied", "Denied"),
                                ("collected", "Collected"),
                            ],
                            default="pending",
                            max_length=10,
                        ),
                    ),
                    ("interval", models.PositiveSmallIntegerField()),
                    ("polled_at", models.DateTimeField(null=True)),
                    ("created_at", models.DateTimeField()),
                    ("expires_at", models.DateTimeField(db_index=True)),
                    ("answered_at", models.DateTimeField(null=True)),
                    ("token_name", models.CharField(blank=True, max_length=120)),
                    ("scopes", models.JSONField(default=list)),
                    ("token_expires_at", models.DateTimeField(null=True)),
                    (
                        "person",
                        models.ForeignKey(
                            null=True, on_delete=models.CASCADE, to=settings.AUTH_USER_MODEL
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(null=True, on_delete=models.CASCADE, to="identity.project"),
                    ),
                ],
            ),
            SAVED.SAVED_VIEW,
        ),
        migrations.RunSQL(FORWARD),
        migrations.AddField(
            "project", "artifact_quota", models.BigIntegerField(db_default=0, default=0)
        ),
        migrations.AddField("user", "session_round", models.IntegerField(db_default=0, default=0)),
        *SAVED.INDEXES,
        *REACTIVATED,
    ]
