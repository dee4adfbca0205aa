import django.db.models.deletion
from django.db import migrations, models

import placet.kernel.ids

FORWARD = """
CREATE FUNCTION registry_declaration_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a declaration stays as it was made';
END $$;
CREATE TRIGGER registry_declaration_append_only BEFORE UPDATE OR DELETE ON registry_declaration
FOR EACH ROW EXECUTE FUNCTION registry_declaration_stays();
"""
BACKWARD = """
DROP TRIGGER registry_declaration_append_only ON registry_declaration;
DROP FUNCTION registry_declaration_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("identity", "0005_artifact_quota"), ("registry", "0004_signing_keys")]

    operations = [
        migrations.CreateModel(
            name="Declaration",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="dcl", serialize=False)),
                (
                    "fact",
                    models.CharField(
                        choices=[
                            ("data_owner", "Owns the data"),
                            ("code_author", "Wrote the training code"),
                        ],
                        max_length=12,
                    ),
                ),
                ("about", models.CharField(max_length=71)),
                ("person", models.CharField(max_length=40)),
                ("declared_by", models.CharField(max_length=40)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="declarations",
                        to="identity.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "fact", "about", "person", "declared_by"),
                        name="registry_declared_once",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
