"""Lets streams of two projects have one name."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The new constraint comes first, so that there is no moment without one."""

    dependencies = [("integrations", "0001_initial")]

    operations = [
        migrations.AddConstraint(
            "stream",
            models.UniqueConstraint(
                fields=["project", "name"],
                nulls_distinct=False,
                name="integrations_stream_name",
            ),
        ),
        migrations.AlterField("stream", "name", models.SlugField(max_length=60)),
    ]
