from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("governance", "0007_break_glass")]

    operations = [
        migrations.AddField(
            model_name="decision",
            name="standing",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
