"""Keeps on a release when it was live for the first time."""

from django.db import migrations, models

# ``live_at`` of what was started or gone back to since is of the last time; the log knows the first
# one, unless that was archived.
FILL = """
UPDATE governance_release SET first_live_at = CASE
  WHEN EXISTS (
    SELECT FROM audit_event WHERE subject = governance_release.id AND kind = 'release.restored.v1'
  ) THEN least(live_at, (
    SELECT min(at::timestamptz) FROM audit_event
    WHERE subject = governance_release.id AND kind = 'release.live.v1'
  ))
  ELSE live_at END
WHERE live_at IS NOT NULL AND first_live_at IS NULL
"""


class Migration(migrations.Migration):
    """What old code makes live while this runs is not filled: then ``live_at`` is read instead."""

    dependencies = [("audit", "0010_event_filters"), ("governance", "0014_decision_records")]

    operations = [
        migrations.AddField(
            "release", "first_live_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
