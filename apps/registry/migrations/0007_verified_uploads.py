"""Whether an upload's own bytes were verified: only then may it become a blob that is there."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module."""

    dependencies = [("registry", "0006_declared_variables")]

    operations = [
        migrations.AddField(
            "upload", "verified", models.BooleanField(db_default=False, default=False)
        ),
    ]
