"""Time stamps of the checkpoints: rows that are added and nothing else."""

import placet.kernel.clock
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER audit_timestamp_append_only BEFORE UPDATE OR DELETE ON audit_timestamp
  FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_timestamp_no_truncate BEFORE TRUNCATE ON audit_timestamp
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
"""
BACKWARD = """
DROP TRIGGER audit_timestamp_append_only ON audit_timestamp;
DROP TRIGGER audit_timestamp_no_truncate ON audit_timestamp;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0006_witnesses'),
    ]

    operations = [
        migrations.CreateModel(
            name='Timestamp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('size', models.BigIntegerField()),
                ('authority', models.CharField(max_length=40)),
                ('at', models.DateTimeField()),
                ('token', models.BinaryField()),
                ('anchor', models.BinaryField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('size', 'authority'), name='audit_stamped_once')],
            },
        ),
        migrations.CreateModel(
            name='TimestampState',
            fields=[
                ('authority', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('size', models.BigIntegerField(default=0)),
                ('at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('fault', models.CharField(blank=True, max_length=8)),
                ('sentence', models.TextField(blank=True)),
                ('attempts', models.IntegerField(default=0)),
                ('error', models.TextField(blank=True)),
                ('next_at', models.DateTimeField(default=placet.kernel.clock.now)),
            ],
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
