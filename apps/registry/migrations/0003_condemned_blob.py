from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('registry', '0002_version_digest')]

    operations = [
        migrations.CreateModel(
            name='CondemnedBlob',
            fields=[
                ('sha256', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('size', models.BigIntegerField()),
                ('condemned_at', models.DateTimeField()),
                ('sweeping', models.BooleanField(default=False)),
            ],
        ),
    ]
