from django.conf import settings
from django.db import migrations, models

from placet.kernel.ids import IdField


class Migration(migrations.Migration):
    dependencies = [("identity", "0007_position")]

    operations = [
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
    ]
