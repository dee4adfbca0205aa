"""Archives of old events. An event may go only when its leaf stands among the archived ones."""

import django.db.models.deletion
import placet.kernel.ids
from django.db import migrations, models

TABLES = ("audit_archive", "audit_archivedleaf")
FORWARD = """
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
DROP TRIGGER audit_event_append_only ON audit_event;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_unarchived();
""" + "".join(
    f"""
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
"""
    for table in TABLES
)
BACKWARD = "".join(
    f"DROP TRIGGER {table}_append_only ON {table}; DROP TRIGGER {table}_no_truncate ON {table};"
    for table in TABLES
) + """
DROP TRIGGER audit_event_append_only ON audit_event;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
DROP FUNCTION audit_refuse_unarchived();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0007_timestamps'),
    ]

    operations = [
        migrations.CreateModel(
            name='Archive',
            fields=[
                ('id', placet.kernel.ids.IdField(prefix='arc', serialize=False)),
                ('first', models.BigIntegerField()),
                ('last', models.BigIntegerField()),
                ('count', models.BigIntegerField()),
                ('leaves', models.CharField(max_length=71)),
                ('size', models.BigIntegerField()),
                ('file', models.CharField(max_length=71)),
                ('bytes', models.BigIntegerField()),
                ('older_than', models.DateTimeField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='ArchivedLeaf',
            fields=[
                ('index', models.BigIntegerField(primary_key=True, serialize=False)),
                ('leaf_hash', models.BinaryField(max_length=32)),
                ('archive', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='audit.archive')),
            ],
            options={
                'ordering': ['index'],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
