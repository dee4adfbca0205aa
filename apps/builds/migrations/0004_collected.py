from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('builds', '0003_accelerate')]

    operations = [
        migrations.AddField('bento', 'collected_at', models.DateTimeField(blank=True, null=True)),
        migrations.AddField('runtime', 'collected_at', models.DateTimeField(blank=True, null=True)),
    ]
