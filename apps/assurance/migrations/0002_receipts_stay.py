"""Triggers that refuse to change or remove what a node signed."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION assurance_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'receipts are append-only: % is refused', TG_OP
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER assurance_receipt_append_only BEFORE UPDATE OR DELETE ON assurance_receipt
  FOR EACH ROW EXECUTE FUNCTION assurance_refuse_change();
"""
BACKWARD = """
DROP TRIGGER assurance_receipt_append_only ON assurance_receipt;
DROP FUNCTION assurance_refuse_change();
"""


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("assurance", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
