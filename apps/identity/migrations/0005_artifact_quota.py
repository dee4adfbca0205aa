from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('identity', '0004_credential_changes')]

    operations = [
        migrations.AddField(
            model_name='project',
            name='artifact_quota',
            field=models.BigIntegerField(default=0, db_default=0),
        ),
    ]
