"""The time of the last event beside the next index: a clock set back is noticed under its lock."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0010_event_filters'),
    ]

    operations = [
        migrations.AddField(
            model_name='loghead',
            name='at',
            field=models.DateTimeField(null=True),
        ),
    ]
