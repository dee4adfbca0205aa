import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import placet.kernel.ids


class Migration(migrations.Migration):
    dependencies = [("identity", "0006_approver_passkey")]

    operations = [
        migrations.CreateModel(
            name="Position",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="pos", serialize=False)),
                (
                    "line",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "Not set"),
                            ("first", "First line"),
                            ("second", "Second line"),
                            ("third", "Third line"),
                        ],
                        default="",
                        max_length=6,
                        verbose_name="line of defence",
                    ),
                ),
                (
                    "top",
                    models.BooleanField(default=False, verbose_name="top of the organisation"),
                ),
                ("set_by", models.CharField(max_length=40)),
                ("set_at", models.DateTimeField()),
                (
                    "manager",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reports",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="position",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("manager__isnull", True),
                            models.Q(("manager", models.F("person")), _negated=True),
                            _connector="OR",
                        ),
                        name="identity_position_not_own_manager",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("top", False), ("manager__isnull", True), _connector="OR"),
                        name="identity_position_top_has_no_manager",
                    ),
                ],
            },
        ),
    ]
