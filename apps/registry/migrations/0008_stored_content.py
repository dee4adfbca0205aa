"""What projects brought into the store: it counts for their quotas until it is collected."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("registry", "0007_verified_uploads")]

    operations = [
        migrations.CreateModel(
            "StoredContent",
            [
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
    ]
