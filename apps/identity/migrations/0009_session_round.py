from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0008_device_login")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="session_round",
            field=models.IntegerField(default=0, db_default=0),
        ),
    ]
