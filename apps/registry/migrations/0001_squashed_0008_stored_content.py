"""What a new database gets in place of migrations 0001 to 0008: the same in one step.

A database that has applied some of them goes on with the others themselves.
"""

from django.db import migrations, models

from placet.kernel.ids import IdField
from placet.kernel.tables import MakeTables

FORWARD = """
CREATE FUNCTION registry_declaration_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a declaration stays as it was made';
END $$;
CREATE TRIGGER registry_declaration_append_only BEFORE UPDATE OR DELETE ON registry_declaration
FOR EACH ROW EXECUTE FUNCTION registry_declaration_stays();
"""


class Migration(migrations.Migration):
    """See the module."""

    initial = True
    replaces = [
        ("registry", "0001_initial"),
        ("registry", "0002_version_digest"),
        ("registry", "0003_condemned_blob"),
        ("registry", "0004_signing_keys"),
        ("registry", "0005_declarations"),
        ("registry", "0006_declared_variables"),
        ("registry", "0007_verified_uploads"),
        ("registry", "0008_stored_content"),
    ]
    dependencies = [("identity", "0006_approver_passkey")]

    operations = [
        MakeTables(
            migrations.CreateModel(
                name="RegisteredModel",
                fields=[
                    ("id", IdField(prefix="mdl", serialize=False)),
                    ("name", models.SlugField(max_length=80)),
                    ("description", models.TextField(blank=True)),
                    ("created_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("revision", models.IntegerField(default=1)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="models", to="identity.project"
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("project", "name"), name="registry_model_name"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="ModelVersion",
                fields=[
                    ("id", IdField(prefix="ver", serialize=False)),
                    ("number", models.IntegerField()),
                    (
                        "state",
                        models.CharField(
                            choices=[("draft", "Draft"), ("finalised", "Finalised")],
                            default="draft",
                            max_length=10,
                        ),
                    ),
                    ("generation", models.IntegerField(default=0)),
                    ("author", models.CharField(max_length=40)),
                    ("created_by", models.CharField(max_length=40)),
                    ("format", models.CharField(blank=True, max_length=20)),
                    ("artifact_digest", models.CharField(blank=True, max_length=71)),
                    ("python_version", models.CharField(blank=True, max_length=10)),
                    ("requirements", models.JSONField(default=list)),
                    ("signature", models.JSONField(blank=True, null=True)),
                    ("example", models.JSONField(blank=True, null=True)),
                    ("expected", models.JSONField(blank=True, null=True)),
                    ("parameters", models.JSONField(default=dict)),
                    ("lineage", models.JSONField(default=dict)),
                    ("tags", models.JSONField(default=dict)),
                    ("card", models.TextField(blank=True)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("finalised_at", models.DateTimeField(blank=True, null=True)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "model",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="versions",
                            to="registry.registeredmodel",
                        ),
                    ),
                    ("variables", models.JSONField(db_default=[], default=list)),
                ],
                options={
                    "indexes": [
                        models.Index(
                            fields=["artifact_digest"],
                            name="registry_version_digest",
                            opclasses=["varchar_pattern_ops"],
                        )
                    ],
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("model", "number"), name="registry_version_number"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Alias",
                fields=[
                    ("id", IdField(prefix="als", serialize=False)),
                    ("name", models.SlugField(max_length=60)),
                    ("managed_by", models.CharField(blank=True, max_length=40)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "version",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="aliases",
                            to="registry.modelversion",
                        ),
                    ),
                    (
                        "model",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="aliases",
                            to="registry.registeredmodel",
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("model", "name"), name="registry_alias_name"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Upload",
                fields=[
                    ("id", IdField(prefix="upl", serialize=False)),
                    ("path", models.CharField(max_length=400)),
                    ("size", models.BigIntegerField()),
                    ("sha256", models.CharField(max_length=64)),
                    ("received", models.BigIntegerField(default=0)),
                    ("archive", models.BooleanField(default=False)),
                    ("created_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "version",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="uploads",
                            to="registry.modelversion",
                        ),
                    ),
                    ("verified", models.BooleanField(db_default=False, default=False)),
                ],
            ),
            migrations.CreateModel(
                name="Hold",
                fields=[
                    ("id", IdField(prefix="hld", serialize=False)),
                    ("reason", models.CharField(max_length=20)),
                    ("holder", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "version",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="holds",
                            to="registry.modelversion",
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("version", "reason", "holder"), name="registry_hold_once"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="Evidence",
                fields=[
                    ("id", IdField(prefix="evd", serialize=False)),
                    ("kind", models.CharField(max_length=20)),
                    (
                        "source",
                        models.CharField(
                            choices=[("reported", "Reported"), ("measured", "Measured")],
                            max_length=10,
                        ),
                    ),
                    ("data", models.JSONField()),
                    ("digest", models.CharField(max_length=71)),
                    ("bento_digest", models.CharField(blank=True, max_length=71)),
                    ("created_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "version",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="evidence",
                            to="registry.modelversion",
                        ),
                    ),
                ],
                options={
                    "indexes": [
                        models.Index(
                            fields=["version", "kind", "-created_at"], name="registry_evidence_kind"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="ArtifactFile",
                fields=[
                    ("id", IdField(prefix="fil", serialize=False)),
                    ("path", models.CharField(max_length=400)),
                    ("size", models.BigIntegerField()),
                    ("sha256", models.CharField(db_index=True, max_length=64)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT, related_name="+", to="identity.project"
                        ),
                    ),
                    (
                        "version",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="files",
                            to="registry.modelversion",
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("version", "path"), name="registry_file_path"
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="CondemnedBlob",
                fields=[
                    ("sha256", models.CharField(max_length=64, primary_key=True, serialize=False)),
                    ("size", models.BigIntegerField()),
                    ("condemned_at", models.DateTimeField()),
                    ("sweeping", models.BooleanField(default=False)),
                ],
            ),
            migrations.CreateModel(
                name="SigningKey",
                fields=[
                    ("id", IdField(prefix="sgk", serialize=False)),
                    ("label", models.SlugField(max_length=40)),
                    ("pem", models.TextField()),
                    ("fingerprint", models.CharField(max_length=71)),
                    ("valid_until", models.DateTimeField(blank=True, null=True)),
                    ("created_by", models.CharField(max_length=40)),
                    ("created_at", models.DateTimeField(auto_now_add=True)),
                    ("revoked_at", models.DateTimeField(blank=True, null=True)),
                    ("revoked_by", models.CharField(blank=True, max_length=40)),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.PROTECT,
                            related_name="signing_keys",
                            to="identity.project",
                        ),
                    ),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("project", "label"), name="registry_signer_label"
                        ),
                        models.UniqueConstraint(
                            fields=("project", "fingerprint"), name="registry_signer_fingerprint"
                        ),
                    ],
                },
            ),
            migrations.CreateModel(
                name="Declaration",
                fields=[
                    ("id", IdField(prefix="dcl", serialize=False)),
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
                            on_delete=models.PROTECT,
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
                        )
                    ],
                },
            ),
            migrations.CreateModel(
                name="StoredContent",
                fields=[
                    (
                        "id",
                        models.BigAutoField(
                            auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                        ),
                    ),
                    (
                        "project",
                        models.ForeignKey(
                            on_delete=models.CASCADE,
                            related_name="+",
                            to="identity.project",
                        ),
                    ),
                    ("sha256", models.CharField(max_length=64)),
                    ("size", models.BigIntegerField()),
                    ("at", models.DateTimeField(db_index=True)),
                ],
                options={
                    "constraints": [
                        models.UniqueConstraint(
                            fields=("sha256", "project"), name="registry_stored_once"
                        )
                    ],
                },
            ),
        ),
        migrations.RunSQL(FORWARD),
    ]
