"""Adds that a channel is disabled because who enabled it may read nothing any more."""

from django.db import migrations, models

REASONS = [
    ("", "Nobody enabled it yet"),
    ("asked", "Somebody disabled it"),
    ("changed", "It was changed, and has to be enabled again"),
    ("gone", "The receiver answered 410 Gone"),
    ("failing", "Nothing was delivered for days"),
    ("revoked", "Who enabled it may no longer export the log"),
]


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("integrations", "0005_services")]

    operations = [
        migrations.AlterField(
            "webhook", "reason", models.CharField(blank=True, choices=REASONS, max_length=8)
        ),
    ]
