"""Keeps up to where the log was verified as it grew."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One row, made by the first check; nothing of the log rests on it."""

    dependencies = [("audit", "0011_log_time")]

    operations = [
        migrations.CreateModel(
            name="VerifiedHead",
            fields=[
                (
                    "id",
                    models.SmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("size", models.BigIntegerField(default=0)),
                ("root", models.BinaryField(max_length=32)),
                ("at", models.DateTimeField()),
                ("fault", models.TextField(blank=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="audit_one_verified_head"
                    )
                ]
            },
        ),
    ]
