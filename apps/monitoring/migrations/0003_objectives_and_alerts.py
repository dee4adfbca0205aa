import django.db.models.deletion
import placet.kernel.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('identity', '0003_shared_value'),
        ('monitoring', '0002_window_error'),
        ('serving', '0002_what_runs_and_why'),
    ]

    operations = [
        migrations.CreateModel(
            name='Objective',
            fields=[
                ('id', placet.kernel.ids.IdField(prefix='obj', serialize=False)),
                ('availability', models.FloatField(null=True)),
                ('latency_ms', models.IntegerField(null=True)),
                ('latency_quantile', models.FloatField(default=0.99)),
                ('window_minutes', models.IntegerField(default=15)),
                ('min_requests', models.IntegerField(default=100)),
                ('expect_traffic', models.BooleanField(default=False)),
                ('roll_back', models.BooleanField(default=False)),
                ('owner', models.CharField(blank=True, max_length=40)),
                ('generation', models.IntegerField(default=0)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('endpoint', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='objective', to='serving.endpoint')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identity.project')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', placet.kernel.ids.IdField(prefix='alr', serialize=False)),
                ('kind', models.CharField(choices=[('objective', 'Objective not met'), ('no_data', 'Not measured'), ('replicas', 'Replicas fail'), ('node_silent', 'Node is silent'), ('schedule_failing', 'Routine work fails'), ('job_failed', 'Job failed for good'), ('log_fault', 'Audit log does not verify')], max_length=20)),
                ('subject', models.CharField(max_length=60)),
                ('environment', models.CharField(blank=True, max_length=40)),
                ('revision', models.CharField(blank=True, max_length=40)),
                ('about', models.CharField(max_length=200)),
                ('summary', models.TextField()),
                ('answer', models.TextField(blank=True)),
                ('rollout', models.CharField(blank=True, max_length=40)),
                ('owner', models.CharField(blank=True, max_length=40)),
                ('state', models.CharField(choices=[('open', 'Open'), ('acknowledged', 'Acknowledged'), ('resolved', 'Resolved')], default='open', max_length=12)),
                ('generation', models.IntegerField(default=0)),
                ('opened_at', models.DateTimeField()),
                ('acknowledged_at', models.DateTimeField(blank=True, null=True)),
                ('acknowledged_by', models.CharField(blank=True, max_length=40)),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('resolved_by', models.CharField(blank=True, max_length=40)),
                ('mailed_open_at', models.DateTimeField(blank=True, null=True)),
                ('mailed_resolved_at', models.DateTimeField(blank=True, null=True)),
                ('endpoint', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='serving.endpoint')),
                ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identity.project')),
            ],
            options={
                'indexes': [models.Index(fields=['state', '-id'], name='monitoring_alert_state')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ('open', 'acknowledged'))), fields=('kind', 'subject'), name='monitoring_one_unresolved')],
            },
        ),
    ]
