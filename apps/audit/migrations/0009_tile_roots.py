"""The root of each tile, so that a proof over the newest tiles does not hash all of them."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0008_archives'),
    ]

    operations = [
        migrations.AddField(
            model_name='tile',
            name='root',
            field=models.BinaryField(max_length=32, null=True),
        ),
    ]
