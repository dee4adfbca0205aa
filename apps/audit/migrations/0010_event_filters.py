"""Find what a kind is of, and what people did, however far back in the log it is."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Func, TextField, Value


def beginning(name, mark):
    parts = F(name), Value(mark), Value(1)
    return Func(*parts, function='split_part', output_field=TextField())


class Migration(migrations.Migration):
    atomic = False  # the log is appended to while its indexes are made
    dependencies = [("audit", "0009_tile_roots")]

    operations = [
        # It reads a whole body, which the planner must know: it went through the log to find what
        # its index has.
        migrations.RunSQL(
            "ALTER FUNCTION audit_touched(text) COST 10000",
            "ALTER FUNCTION audit_touched(text) COST 100",
        ),
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(beginning("kind", "."), F("index"), name="audit_event_family"),
        ),
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(beginning("actor_id", "_"), F("index"), name="audit_event_actor_prefix"),
        ),
    ]
