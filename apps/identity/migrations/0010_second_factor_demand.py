from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("identity", "0009_session_round")]

    operations = [
        migrations.CreateModel(
            name="SecondFactorDemand",
            fields=[
                ("role", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("demanded_by", models.CharField(max_length=40)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"abstract": False},
        ),
    ]
