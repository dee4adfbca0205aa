"""Lets an endpoint have the name of one that was deleted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The new constraint comes first, so that there is no moment without one."""

    dependencies = [("serving", "0007_last_report")]

    operations = [
        migrations.AddConstraint(
            "endpoint",
            models.UniqueConstraint(
                fields=["project", "environment", "name"],
                condition=~models.Q(state="deleted"),
                name="serving_endpoint_kept_name",
            ),
        ),
        migrations.RemoveConstraint("endpoint", "serving_endpoint_name"),
    ]
