"""What a new database gets in place of migrations 0001 to 0011: the same in one step.

A database that has applied some of them goes on with the others themselves.
"""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import migrations, models
from django.db.models import F, Func, Q, TextField, Value

from apps.audit.models import _Member
from placet.kernel.clock import now
from placet.kernel.ids import IdField
from placet.kernel.tables import MakeTables

APPEND_ONLY = (
    "audit_tile",
    "audit_checkpoint",
    "audit_timestamp",
    "audit_archive",
    "audit_archivedleaf",
)

FORWARD = """
INSERT INTO audit_loghead (id, size) VALUES (1, 0);
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION audit_refuse_unarchived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    PERFORM 1 FROM audit_archivedleaf a
      WHERE a."index" = OLD."index" AND a.leaf_hash = OLD.leaf_hash;
    IF FOUND THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit log is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_unarchived();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
""" + "".join(
    f"""
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
"""
    for table in APPEND_ONLY
)
# Finds the events about a row, whether it is their subject or one of the rows they hold. It reads
# a whole body, which the planner must know, or it goes through the log for what its index has.
TOUCHED = """
CREATE FUNCTION audit_touched(body text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10000 AS $$
  SELECT array_append(
    coalesce(
      (SELECT array_agg(substr(k, strpos(k, ':') + 1))
       FROM jsonb_object_keys(body::jsonb -> 'after') k),
      '{}'),
    body::jsonb ->> 'subject')
$$;
CREATE INDEX audit_event_touched ON audit_event USING gin (audit_touched(body));
"""


def make_system_key(apps, schema_editor):
    """Make the key of the system's own texts, so that no two first users wait for each other."""
    key = AESGCM.generate_key(bit_length=256)
    apps.get_model("audit", "PersonKey").objects.create(person_id="system", key=key)


def member(name):
    """Return a column that repeats one member of an event's body."""
    return models.GeneratedField(
        db_persist=True, expression=_Member(name), output_field=TextField()
    )


def beginning(name, mark):
    """Return what stands before the first ``mark`` in a column."""
    return Func(F(name), Value(mark), Value(1), function="split_part", output_field=TextField())


class Migration(migrations.Migration):
    """See the module."""

    initial = True
    replaces = [
        ("audit", "0001_initial"),
        ("audit", "0002_append_only"),
        ("audit", "0003_touched"),
        ("audit", "0004_system_key"),
        ("audit", "0005_event_at"),
        ("audit", "0006_witnesses"),
        ("audit", "0007_timestamps"),
        ("audit", "0008_archives"),
        ("audit", "0009_tile_roots"),
        ("audit", "0010_event_filters"),
        ("audit", "0011_log_time"),
    ]
    dependencies = []

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="Checkpoint",
                fields=[
                    ("size", models.BigIntegerField(primary_key=True, serialize=False)),
                    ("root", models.BinaryField(max_length=32)),
                    ("note", models.TextField()),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                ],
            ),
            migrations.CreateModel(
                name="PersonKey",
                fields=[
                    (
                        "person_id",
                        models.CharField(max_length=40, primary_key=True, serialize=False),
                    ),
                    ("key", models.BinaryField(max_length=32)),
                ],
            ),
            migrations.CreateModel(
                name="SealedText",
                fields=[
                    (
                        "commitment",
                        models.CharField(max_length=71, primary_key=True, serialize=False),
                    ),
                    ("person_id", models.CharField(db_index=True, max_length=40)),
                    ("ciphertext", models.BinaryField()),
                ],
            ),
            migrations.CreateModel(
                name="Event",
                fields=[
                    ("index", models.BigIntegerField(primary_key=True, serialize=False)),
                    ("body", models.TextField()),
                    ("leaf_hash", models.BinaryField(max_length=32)),
                    ("kind", member("kind")),
                    ("at", member("at")),
                    ("actor_id", member("actor_id")),
                    ("subject", member("subject")),
                    ("project", member("project")),
                    ("environment", member("environment")),
                ],
                options={
                    "ordering": ["index"],
                    "indexes": [
                        models.Index(fields=["subject", "index"], name="audit_event_subject"),
                        models.Index(fields=["project", "index"], name="audit_event_project"),
                        models.Index(fields=["actor_id", "index"], name="audit_event_actor"),
                        models.Index(fields=["kind", "index"], name="audit_event_kind"),
                        models.Index(fields=["at"], name="audit_event_at"),
                        models.Index(
                            beginning("kind", "."),
                            F("index"),
                            name="audit_event_family",
                        ),
                        models.Index(
                            beginning("actor_id", "_"),
                            F("index"),
                            name="audit_event_actor_prefix",
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="LogHead",
                fields=[
                    ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                    ("size", models.BigIntegerField(default=0)),
                    ("at", models.DateTimeField(null=True)),
                ],
                options={
                    "constraints": [
                        models.CheckConstraint(condition=Q(("id", 1)), name="audit_one_head")
                    ],
                },
            ),
            migrations.CreateModel(
                name="Tile",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("level", models.SmallIntegerField()),
                    ("index", models.BigIntegerField()),
                    ("hashes", models.BinaryField()),
                    ("root", models.BinaryField(max_length=32, null=True)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(fields=("level", "index"), name="audit_tile_place")
                    ],
                },
            ),
            migrations.CreateModel(
                name="Witness",
                fields=[
                    ("id", IdField(prefix="wit", serialize=False)),
                    ("name", models.CharField(max_length=60, unique=True)),
                    (
                        "kind",
                        models.CharField(
                            choices=[
                                ("http", "Co-signs over HTTP"),
                                ("file", "Keeps files"),
                                ("s3", "Keeps locked objects"),
                            ],
                            max_length=8,
                        ),
                    ),
                    ("address", models.CharField(max_length=500)),
                    ("key", models.CharField(blank=True, max_length=300)),
                    ("retain_days", models.PositiveIntegerField(default=0)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                ],
            ),
            migrations.CreateModel(
                name="WitnessedHead",
                fields=[
                    ("origin", models.CharField(max_length=200, primary_key=True, serialize=False)),
                    ("size", models.BigIntegerField(default=0)),
                    ("root", models.BinaryField(max_length=32)),
                    ("note", models.TextField(blank=True)),
                    ("cosigned_at", models.DateTimeField(blank=True, null=True)),
                    ("fork", models.TextField(blank=True)),
                ],
            ),
            migrations.CreateModel(
                name="WitnessedLog",
                fields=[
                    ("id", IdField(prefix="wlg", serialize=False)),
                    ("origin", models.CharField(max_length=200)),
                    ("key", models.CharField(max_length=300, unique=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                ],
            ),
            migrations.CreateModel(
                name="Cosignature",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("size", models.BigIntegerField()),
                    ("key", models.CharField(max_length=300)),
                    ("line", models.TextField()),
                    ("at", models.DateTimeField()),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(fields=("size", "key"), name="audit_cosigned_once")
                    ],
                },
            ),
            migrations.CreateModel(
                name="WitnessState",
                fields=[
                    (
                        "witness",
                        models.OneToOneField(
                            on_delete=models.CASCADE,
                            primary_key=True,
                            related_name="state",
                            serialize=False,
                            to="audit.witness",
                        ),
                    ),
                    ("size", models.BigIntegerField(default=0)),
                    ("seen_at", models.DateTimeField(blank=True, null=True)),
                    ("asked_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "fault",
                        models.CharField(
                            blank=True,
                            choices=[
                                ("", ""),
                                ("ahead", "It saw more events than this database has"),
                                ("forked", "It saw another history"),
                            ],
                            max_length=8,
                        ),
                    ),
                    ("sentence", models.TextField(blank=True)),
                    ("attempts", models.IntegerField(default=0)),
                    ("error", models.TextField(blank=True)),
                    ("next_at", models.DateTimeField(default=now)),
                ],
            ),
            migrations.CreateModel(
                name="Timestamp",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    ("size", models.BigIntegerField()),
                    ("authority", models.CharField(max_length=40)),
                    ("at", models.DateTimeField()),
                    ("token", models.BinaryField()),
                    ("anchor", models.BinaryField()),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("size", "authority"), name="audit_stamped_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="TimestampState",
                fields=[
                    (
                        "authority",
                        models.CharField(max_length=40, primary_key=True, serialize=False),
                    ),
                    ("size", models.BigIntegerField(default=0)),
                    ("at", models.DateTimeField(blank=True, null=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("fault", models.CharField(blank=True, max_length=8)),
                    ("sentence", models.TextField(blank=True)),
                    ("attempts", models.IntegerField(default=0)),
                    ("error", models.TextField(blank=True)),
                    ("next_at", models.DateTimeField(default=now)),
                ],
            ),
            migrations.CreateModel(
                name="Archive",
                fields=[
                    ("id", IdField(prefix="arc", serialize=False)),
                    ("first", models.BigIntegerField()),
                    ("last", models.BigIntegerField()),
                    ("count", models.BigIntegerField()),
                    ("leaves", models.CharField(max_length=71)),
                    ("size", models.BigIntegerField()),
                    ("file", models.CharField(max_length=71)),
                    ("bytes", models.BigIntegerField()),
                    ("older_than", models.DateTimeField()),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                ],
            ),
            migrations.CreateModel(
                name="ArchivedLeaf",
                fields=[
                    ("index", models.BigIntegerField(primary_key=True, serialize=False)),
                    ("leaf_hash", models.BinaryField(max_length=32)),
                    (
                        "archive",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="audit.archive"
                        ),
                    ),
                ],
                options={
                    "ordering": ["index"],
                },
            ),
        ),
        migrations.RunSQL(FORWARD),
        migrations.RunSQL(TOUCHED),
        migrations.RunPython(make_system_key),
    ]
