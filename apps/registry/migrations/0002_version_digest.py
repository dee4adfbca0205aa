"""Find a version by the beginning of its artifact's digest."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="modelversion",
            index=models.Index(
                fields=["artifact_digest"],
                name="registry_version_digest",
                opclasses=["varchar_pattern_ops"],
            ),
        ),
    ]
