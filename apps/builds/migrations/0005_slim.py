from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('builds', '0004_collected')]

    operations = [
        migrations.AddField(
            'bento', 'slim', models.BooleanField(default=False, db_default=False)
        ),
    ]
