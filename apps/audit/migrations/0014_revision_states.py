"""Find what became of revisions in the order of the log, however rare that is among their events."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Cast

STATE = Func(
    Cast(F("body"), models.JSONField()),
    Value("data"),
    Value("state"),
    function="jsonb_extract_path_text",
    output_field=TextField(),
)


class Migration(migrations.Migration):
    atomic = False  # the log is appended to while its indexes are made
    dependencies = [("audit", "0013_found_in_order")]

    operations = [
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                STATE,
                F("index"),
                name="audit_event_state",
                condition=Q(kind="revision.changed.v1"),
            ),
        ),
    ]
