from django.db import migrations, models

import placet.kernel.ids


class Migration(migrations.Migration):

    dependencies = [('identity', '0001_initial')]

    operations = [
        migrations.AddField(
            model_name='idempotencyrecord',
            name='claim',
            field=models.CharField(default=placet.kernel.ids.uuid7_hex, max_length=32),
        ),
    ]
