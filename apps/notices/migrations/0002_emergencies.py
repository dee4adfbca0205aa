"""People are told of emergency releases too."""

from django.db import migrations, models

KINDS = [
    ("review", "Releases that need my review"),
    ("emergency", "Emergency releases that need me"),
    ("policy", "Policy drafts that need my review"),
    ("changes", "Changes requested on my releases"),
    ("decided", "Decisions on my releases"),
    ("rollout", "My rollouts that pause or end badly"),
    ("build", "My builds that fail"),
    ("token", "My API tokens that expire soon"),
    ("mentioned", "Mentions of me"),
    ("replied", "Replies in my discussions"),
    ("alert", "Alerts in projects that I watch"),
    ("watched", "Releases that I watch"),
]


class Migration(migrations.Migration):
    dependencies = [("notices", "0001_initial")]

    operations = [
        migrations.AlterField(
            model, "kind", models.CharField(choices=KINDS, max_length=12)
        )
        for model in ("Preference", "Notice")
    ]
