"""Builds may ask for the ONNX form of a model; a Bento says whether it answers with it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("builds", "0002_one_open_build_and_papers")]

    operations = [
        migrations.AddField("build", "accelerate", models.BooleanField(default=False, db_default=False)),
        migrations.AddField("bento", "accelerated", models.BooleanField(default=False, db_default=False)),
    ]
