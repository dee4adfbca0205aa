"""Keeps apart what went wrong with an attempt at a webhook, its status and what is known beside
that, and why a delivery was given up; adds when a webhook was disabled."""

from django.db import migrations, models

FAULTS = [
    ("answered", "It was not taken"),
    ("no_connection", "No connection"),
    ("no_host", "No host has such a name"),
    ("silent", "No answer in time"),
    ("late", "The answer did not come to its end in time"),
    ("no_trust", "PLACET_CA_FILE cannot be used"),
    ("other", "The call failed"),
    ("unreadable", "Its address or secret cannot be read"),
    ("no_chat", "Its address is none of its chat any more: give it another"),
    ("former", "Written down in one sentence"),
]
DROPS = [
    ("disabled", "The webhook was disabled before it was delivered"),
    ("archived", "The event was archived"),
]
ERRORS = {"webhook": "last_error", "webhookdelivery": "error", "webhookattempt": "error"}
FORMER = "UPDATE integrations_{} SET fault = 'former' WHERE detail <> ''"


def _fault() -> models.CharField:
    return models.CharField(
        blank=True, choices=FAULTS, db_default="", default="", max_length=13
    )


class Migration(migrations.Migration):
    """What was written down in one sentence stays that, and is marked as such."""

    dependencies = [("integrations", "0007_last_error")]

    operations = [
        *(migrations.RenameField(model, error, "detail") for model, error in ERRORS.items()),
        *(
            migrations.AlterField(
                model, "detail", models.TextField(blank=True, db_default="", default="")
            )
            for model in ("webhookdelivery", "webhookattempt")
        ),
        *(
            migrations.AlterField(model, "status", models.IntegerField(db_default=0, default=0))
            for model in ("webhookdelivery", "webhookattempt")
        ),
        migrations.AddField("webhook", "status", models.IntegerField(db_default=0, default=0)),
        migrations.AddField(
            "webhookdelivery",
            "dropped",
            models.CharField(blank=True, choices=DROPS, db_default="", default="", max_length=8),
        ),
        *(migrations.AddField(model, "fault", _fault()) for model in ERRORS),
        migrations.AddField(
            "webhook", "disabled_at", models.DateTimeField(blank=True, null=True)
        ),
        *(migrations.RunSQL(FORMER.format(model), migrations.RunSQL.noop) for model in ERRORS),
    ]
