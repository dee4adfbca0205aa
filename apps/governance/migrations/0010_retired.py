"""Adds how a release ends whose endpoint is deleted."""

from django.db import migrations, models

STATES = (
    ("requested", "Requested"),
    ("approved", "Approved"),
    ("rolling_out", "Rolling Out"),
    ("live", "Live"),
    ("superseded", "Superseded"),
    ("rejected", "Rejected"),
    ("withdrawn", "Withdrawn"),
    ("expired", "Expired"),
    ("failed", "Failed"),
    ("rolled_back", "Rolled Back"),
    ("revoked", "Revoked"),
    ("retired", "Retired"),
)


class Migration(migrations.Migration):
    """No statement: which words a column may have is asked by the code alone."""

    dependencies = [("governance", "0009_target_uses")]

    operations = [
        migrations.AlterField(
            "release",
            "state",
            models.CharField(max_length=12, choices=STATES, default="requested"),
        ),
    ]
