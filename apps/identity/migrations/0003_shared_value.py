from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('identity', '0002_idempotency_claim')]

    operations = [
        migrations.CreateModel(
            name='SharedValue',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('value', models.JSONField()),
                ('expires_at', models.DateTimeField(db_index=True)),
            ],
        ),
    ]
