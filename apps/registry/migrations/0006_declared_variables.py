"""The names of variables that a version reads, and that a release of it may set."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("registry", "0005_declarations")]

    operations = [
        migrations.AddField(
            "modelversion", "variables", models.JSONField(db_default=[], default=list)
        ),
    ]
