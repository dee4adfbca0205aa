"""Adds webhooks, what they are sent, and each attempt at it."""

import django.db.models.deletion
from django.db import migrations, models

import placet.kernel.ids


class Migration(migrations.Migration):
    """Tables, empty at first."""

    dependencies = [
        ("identity", "0004_squashed_0012_reactivated_at"),
        ("integrations", "0002_names_of_projects"),
    ]

    operations = [
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('id', placet.kernel.ids.IdField(prefix='whk', serialize=False)),
                ('name', models.SlugField(max_length=60)),
                ('origin', models.CharField(max_length=300)),
                ('address', models.TextField()),
                ('groups', models.JSONField(default=list)),
                ('state', models.CharField(choices=[('disabled', 'Disabled'), ('enabled', 'Enabled')], default='disabled', max_length=8)),
                ('reason', models.CharField(blank=True, choices=[('', 'Nobody enabled it yet'), ('asked', 'Somebody disabled it'), ('changed', 'It was changed, and has to be enabled again'), ('gone', 'The receiver answered 410 Gone'), ('failing', 'Nothing was delivered for days')], max_length=8)),
                ('generation', models.IntegerField(default=0)),
                ('public_key', models.CharField(max_length=80)),
                ('former_public_key', models.CharField(blank=True, max_length=80)),
                ('former_until', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.CharField(max_length=40)),
                ('enabled_by', models.CharField(blank=True, max_length=40)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('signing', models.TextField()),
                ('former_signing', models.TextField(blank=True)),
                ('cursor', models.BigIntegerField(default=0)),
                ('failing_since', models.DateTimeField(blank=True, null=True)),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identity.project')),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "cursor"], name="integrations_webhook_behind")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("project", "name"),
                        name="integrations_webhook_name",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', placet.kernel.ids.IdField(prefix='whd', serialize=False)),
                ('index', models.BigIntegerField(blank=True, null=True)),
                ('kind', models.CharField(max_length=80)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sending', 'Sending'), ('delivered', 'Delivered'), ('failed', 'Failed')], default='waiting', max_length=9)),
                ('generation', models.IntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('asked_at', models.DateTimeField()),
                ('next_at', models.DateTimeField()),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.IntegerField(default=0)),
                ('tries', models.IntegerField(default=0)),
                ('status', models.IntegerField(default=0)),
                ('error', models.TextField(blank=True)),
                ('webhook', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='integrations.webhook')),
            ],
            options={
                "indexes": [
                    models.Index(fields=["webhook", "-id"], name="integrations_webhook_last"),
                    models.Index(
                        fields=["webhook", "next_at"],
                        name="integrations_webhook_due",
                        condition=models.Q(("state__in", ["waiting", "sending"])),
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("webhook", "index"), name="integrations_webhook_event_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name='WebhookAttempt',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.IntegerField()),
                ('at', models.DateTimeField()),
                ('seconds', models.FloatField()),
                ('headers', models.JSONField(default=dict)),
                ('status', models.IntegerField(default=0)),
                ('answer', models.TextField(blank=True)),
                ('error', models.TextField(blank=True)),
                ('delivery', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tried', to='integrations.webhookdelivery')),
            ],
            options={
                "indexes": [
                    models.Index(fields=["delivery", "-id"], name="integrations_attempt_of")
                ],
            },
        ),
    ]
