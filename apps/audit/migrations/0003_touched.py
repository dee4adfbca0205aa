"""Finds the events about a row, whether it is their subject or one of the rows they hold."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION audit_touched(body text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_append(
    coalesce(
      (SELECT array_agg(substr(k, strpos(k, ':') + 1))
       FROM jsonb_object_keys(body::jsonb -> 'after') k),
      '{}'),
    body::jsonb ->> 'subject')
$$;
CREATE INDEX audit_event_touched ON audit_event USING gin (audit_touched(body));
"""

BACKWARD = "DROP INDEX audit_event_touched; DROP FUNCTION audit_touched(text);"


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
