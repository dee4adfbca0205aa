"""Counts every change of what lets a person sign in, where the application cannot take it back.

The application's role may read the count and nothing more: the triggers run as the owner. So a
credential that was changed past Placet and changed back shows for ever, and nobody can exchange one
for the moment in which it is looked at.
"""

from django.db import migrations, models

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

BACKWARD = "".join(f"DROP TRIGGER {table}_credentials ON {table};" for table in TABLES) + (
    "DROP FUNCTION identity_count_credential_change();"
    "DROP FUNCTION identity_credential_part(jsonb);"
    "DROP FUNCTION identity_hold_credentials(text);"
)


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0003_shared_value"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]
    operations = [
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
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
