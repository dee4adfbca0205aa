"""Find what kinds of a project say, how people decided and who asked Placet to do something, in the
order of the log."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Cast


def logged(name):
    parts = Cast(F("body"), models.JSONField()), Value("data"), Value(name)
    return Func(*parts, function="jsonb_extract_path_text", output_field=TextField())


FAMILY = Func(
    F("kind"), Value("."), Value(1), function="split_part", output_field=TextField()
)


class Migration(migrations.Migration):
    atomic = False  # the log is appended to while its indexes are made
    dependencies = [("audit", "0012_verified_head")]

    operations = [
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                F("project"), FAMILY, F("index"), name="audit_event_project_family"
            ),
        ),
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                logged("verdict"),
                F("index"),
                name="audit_event_verdict",
                condition=Q(kind="release.decided.v1"),
            ),
        ),
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                logged("asked_by"),
                F("index"),
                name="audit_event_asked_by",
                condition=Q(kind__in=("release.aborted.v1", "release.rolled_back.v1")),
            ),
        ),
    ]
