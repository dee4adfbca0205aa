"""When a project last had a turn on a queue is looked up for each turn that is given."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """See the module. Jobs are added while the index is built: nothing waits for it."""

    atomic = False
    dependencies = [("jobs", "0002_lost_leases")]

    operations = [
        AddIndexConcurrently(
            "job",
            models.Index(
                fields=["queue", "project", "finished_at"],
                condition=models.Q(finished_at__isnull=False),
                name="jobs_last_of_project",
            ),
        ),
    ]
