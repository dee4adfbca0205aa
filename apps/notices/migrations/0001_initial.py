"""What people watch, how they want to be told, and what they are to be told."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import placet.kernel.ids

KINDS = [
    ("review", "Releases that need my review"),
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
WAYS = [("now", "At once"), ("daily", "Daily digest"), ("none", "No mail")]
STATES = [
    ("waiting", "Waiting"),
    ("sending", "Sending"),
    ("sent", "Sent"),
    ("dropped", "Dropped"),
    ("failed", "Failed"),
]


def of_person():
    return models.ForeignKey(
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
    )


def of_project(**more):
    return models.ForeignKey(
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to="identity.project",
        **more,
    )


class Migration(migrations.Migration):
    """See the module."""

    initial = True

    dependencies = [
        ("governance", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Reading",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("cursor", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="wat", serialize=False)),
                ("is_on", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField()),
                ("person", of_person()),
                ("project", of_project()),
                (
                    "release",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="governance.release",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["project", "release"], name="notices_watch_of")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("person", "project", "release"),
                        name="notices_watch_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Preference",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(choices=KINDS, max_length=12)),
                ("way", models.CharField(choices=WAYS, max_length=5)),
                ("person", of_person()),
                ("project", of_project(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("person", "project", "kind"),
                        name="notices_preference_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="ntc", serialize=False)),
                ("kind", models.CharField(choices=KINDS, max_length=12)),
                ("index", models.BigIntegerField(blank=True, null=True)),
                ("subject", models.CharField(max_length=40)),
                ("part", models.CharField(blank=True, max_length=40)),
                ("project", models.CharField(blank=True, max_length=40)),
                ("way", models.CharField(choices=WAYS, max_length=5)),
                ("letter", models.CharField(blank=True, max_length=40)),
                ("state", models.CharField(choices=STATES, default="waiting", max_length=7)),
                ("generation", models.IntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("next_at", models.DateTimeField()),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("tries", models.IntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("person", of_person()),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "sending"])),
                        fields=["next_at", "id"],
                        name="notices_due",
                    ),
                    models.Index(fields=["person", "-id"], name="notices_of"),
                    models.Index(fields=["created_at"], name="notices_age"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("person", "index"), name="notices_event_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("index", None)),
                        fields=("person", "kind", "subject"),
                        name="notices_subject_once",
                    ),
                ],
            },
        ),
    ]
