"""Lets a webhook be a channel of a chat."""

from django.db import migrations, models

SERVICES = [
    ("standard", "A program (Standard Webhooks)"),
    ("slack", "Slack"),
    ("teams", "Microsoft Teams"),
    ("mattermost", "Mattermost"),
    ("rocketchat", "Rocket.Chat"),
    ("discord", "Discord"),
    ("google_chat", "Google Chat"),
]


class Migration(migrations.Migration):
    """All that there are tell programs."""

    dependencies = [("integrations", "0004_older_formers")]

    operations = [
        migrations.AddField(
            "webhook",
            "service",
            models.CharField(
                choices=SERVICES, db_default="standard", default="standard", max_length=12
            ),
        ),
    ]
