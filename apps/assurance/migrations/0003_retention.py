"""How long bodies of events stay, and legal holds."""

import placet.kernel.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('assurance', '0002_receipts_stay'),
    ]

    operations = [
        migrations.CreateModel(
            name='LegalHold',
            fields=[
                ('id', placet.kernel.ids.IdField(prefix='lgh', serialize=False)),
                ('name', models.CharField(max_length=60, unique=True)),
                ('scope', models.CharField(choices=[('everything', 'Everything'), ('project', 'A project'), ('person', 'A person'), ('object', 'An object')], max_length=10)),
                ('subject', models.CharField(blank=True, max_length=60)),
                ('reason_sealed', models.CharField(max_length=71)),
                ('state', models.CharField(choices=[('standing', 'Standing'), ('lifted', 'Lifted')], default='standing', max_length=8)),
                ('generation', models.IntegerField(default=0)),
                ('placed_by', models.CharField(max_length=40)),
                ('placer', models.CharField(max_length=40)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('lifted_by', models.CharField(blank=True, max_length=40)),
                ('lift_reason_sealed', models.CharField(blank=True, max_length=71)),
                ('lifted_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Retention',
            fields=[
                ('id', models.CharField(default='retention', max_length=20, primary_key=True, serialize=False)),
                ('days', models.PositiveIntegerField()),
                ('set_by', models.CharField(max_length=40)),
                ('set_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 'retention')), name='assurance_one_rule')],
            },
        ),
    ]
