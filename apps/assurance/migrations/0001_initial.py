"""Recalls, what each did, and what nodes signed."""

import django.db.models.deletion
import placet.kernel.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('governance', '0006_on_recall'),
        ('identity', '0006_approver_passkey'),
        ('serving', '0004_guard'),
    ]

    operations = [
        migrations.CreateModel(
            name='Recall',
            fields=[
                ('id', placet.kernel.ids.IdField(prefix='rcl', serialize=False)),
                ('kind', models.CharField(choices=[('version', 'Version'), ('bento', 'Bento'), ('dataset', 'Dataset'), ('wheel', 'Wheel'), ('key', 'Key'), ('passkey', 'Passkey'), ('person', "A person's decisions")], max_length=8)),
                ('what', models.CharField(max_length=80)),
                ('reason_sealed', models.CharField(max_length=71)),
                ('names', models.JSONField()),
                ('envelope', models.TextField()),
                ('statement_digest', models.CharField(max_length=71)),
                ('state', models.CharField(choices=[('standing', 'Standing'), ('lifted', 'Lifted')], default='standing', max_length=8)),
                ('generation', models.IntegerField(default=0)),
                ('recalled_by', models.CharField(max_length=40)),
                ('recaller', models.CharField(max_length=40)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('lifted_by', models.CharField(blank=True, max_length=40)),
                ('lift_reason_sealed', models.CharField(blank=True, max_length=71)),
                ('lift_envelope', models.TextField(blank=True)),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='recalls', to='identity.project')),
            ],
        ),
        migrations.CreateModel(
            name='RecallEffect',
            fields=[
                ('id', placet.kernel.ids.IdField(prefix='rce', serialize=False)),
                ('revisions', models.JSONField(default=list)),
                ('action', models.CharField(choices=[('fell_back', 'Fell back'), ('stopped', 'Stopped'), ('ended', 'Ended'), ('revoked', 'Revoked')], max_length=10)),
                ('fallback', models.CharField(blank=True, max_length=40)),
                ('state', models.CharField(choices=[('open', 'Open'), ('confirmed', 'Confirmed'), ('contradicted', 'Contradicted'), ('never_ran', 'Never ran')], default='open', max_length=12)),
                ('generation', models.IntegerField(default=0)),
                ('receipt', models.CharField(blank=True, max_length=40)),
                ('confirmed_at', models.DateTimeField(blank=True, null=True)),
                ('contradiction', models.CharField(blank=True, max_length=20)),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='recalls', to='serving.endpoint')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identity.project')),
                ('recall', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='effects', to='assurance.recall')),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='recalls', to='governance.release')),
                ('target', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='serving.target')),
            ],
        ),
        migrations.CreateModel(
            name='Receipt',
            fields=[
                ('id', placet.kernel.ids.IdField(prefix='rct', serialize=False)),
                ('public_key', models.CharField(max_length=64)),
                ('kind', models.CharField(choices=[('ran', 'Ran'), ('stopped', 'Stopped')], max_length=8)),
                ('digest', models.CharField(max_length=71, unique=True)),
                ('envelope', models.TextField()),
                ('recall', models.CharField(blank=True, max_length=40)),
                ('endpoint', models.CharField(blank=True, max_length=40)),
                ('release', models.CharField(blank=True, max_length=40)),
                ('revision', models.CharField(blank=True, max_length=40)),
                ('bento_digest', models.CharField(blank=True, max_length=71)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('at', models.DateTimeField()),
                ('received_at', models.DateTimeField(auto_now_add=True)),
                ('node', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='receipts', to='serving.node')),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identity.project')),
                ('target', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='serving.target')),
            ],
        ),
        migrations.AddIndex(
            model_name='recall',
            index=models.Index(fields=['state'], name='assurance_recall_state'),
        ),
        migrations.AddConstraint(
            model_name='recall',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'standing')), fields=('kind', 'what', 'project'), name='assurance_one_standing', nulls_distinct=False),
        ),
        migrations.AddIndex(
            model_name='recalleffect',
            index=models.Index(fields=['target', 'state'], name='assurance_effect_target'),
        ),
        migrations.AddConstraint(
            model_name='recalleffect',
            constraint=models.UniqueConstraint(fields=('recall', 'release'), name='assurance_effect_once'),
        ),
        migrations.AddIndex(
            model_name='receipt',
            index=models.Index(fields=['endpoint', '-id'], name='assurance_receipt_endpoint'),
        ),
        migrations.AddIndex(
            model_name='receipt',
            index=models.Index(fields=['recall'], name='assurance_receipt_recall'),
        ),
    ]
