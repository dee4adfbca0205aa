"""Keeps secrets of environments, encrypted, and copies of them sealed for nodes."""

from django.db import migrations, models
from django.db.models.deletion import CASCADE, PROTECT

from placet.kernel.ids import IdField


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [
        ("identity", "0004_squashed_0012_reactivated_at"),
        ("serving", "0012_errors_since"),
    ]

    operations = [
        migrations.CreateModel(
            "Secret",
            [
                ("id", IdField(prefix="sec", serialize=False)),
                ("environment", models.CharField(max_length=40)),
                ("name", models.SlugField(max_length=60)),
                ("created_by", models.CharField(max_length=40)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("project", models.ForeignKey("identity.project", PROTECT, related_name="+")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["project", "environment", "name"], name="serving_secret_name"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            "SecretVersion",
            [
                ("id", IdField(prefix="sev", serialize=False)),
                ("number", models.IntegerField()),
                ("sealed", models.TextField(blank=True)),
                ("created_by", models.CharField(max_length=40)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("revoked_by", models.CharField(blank=True, max_length=40)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("project", models.ForeignKey("identity.project", PROTECT, related_name="+")),
                ("secret", models.ForeignKey("serving.secret", PROTECT, related_name="versions")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["secret", "number"], name="serving_secret_number"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            "SealedSecret",
            [
                ("id", models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    )),
                ("public_key", models.CharField(max_length=64)),
                ("sealed", models.TextField(blank=True)),
                ("given_at", models.DateTimeField(blank=True, null=True)),
                ("node", models.ForeignKey("serving.node", CASCADE, related_name="+")),
                (
                    "version",
                    models.ForeignKey("serving.secretversion", CASCADE, related_name="copies"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["node", "version"], name="serving_sealed_once")
                ]
            },
        ),
    ]
