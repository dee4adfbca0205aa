"""Adds how a release ends whose rollout people aborted."""

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
    ("aborted", "Aborted"),
    ("rolled_back", "Rolled Back"),
    ("revoked", "Revoked"),
    ("retired", "Retired"),
)


class Migration(migrations.Migration):
    """No statement: which words a column may have is asked by the code alone."""

    dependencies = [("governance", "0010_retired")]

    operations = [
        migrations.AlterField(
            "release",
            "state",
            models.CharField(max_length=12, choices=STATES, default="requested"),
        ),
    ]
