"""Adds the approved serving configuration, prefetching, and what a join token was used by."""

import django.db.models.deletion
from django.db import migrations, models

import placet.kernel.ids


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [
        ("builds", "0001_initial"),
        ("identity", "0001_initial"),
        ("serving", "0001_initial"),
    ]

    operations = [
        migrations.AddField("target", "on_expired", models.CharField(default="serve", max_length=5)),
        migrations.AddField("jointoken", "used_by", models.CharField(blank=True, default="", max_length=64), preserve_default=False),
        migrations.AddField("node", "fault", models.CharField(blank=True, default="", max_length=40), preserve_default=False),
        migrations.AddField("revision", "serving", models.JSONField(default=dict)),
        migrations.AddField("revision", "warm_until", models.DateTimeField(blank=True, null=True)),
        migrations.CreateModel(
            name="Prefetch",
            fields=[
                ("id", placet.kernel.ids.IdField(prefix="pre", serialize=False)),
                ("holder", models.CharField(max_length=40)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("bento", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="builds.bento")),
                ("project", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identity.project")),
                ("target", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="prefetches", to="serving.target")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("target", "bento", "holder"), name="serving_prefetch_once")],
            },
        ),
    ]
