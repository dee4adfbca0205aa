"""How many bytes a project keeps."""

from collections.abc import Mapping
from datetime import timedelta

from django.db import connection
from django.db.models import Sum

from apps.registry.models import ArtifactFile, StoredContent
from placet.kernel.config import config

BYTES_KEPT = """
SELECT (
  SELECT coalesce(sum(size), 0) FROM (
    SELECT max(size) AS size FROM (
      SELECT sha256, size FROM registry_artifactfile WHERE project_id = %(project)s
      UNION ALL
      SELECT sha256, size FROM registry_storedcontent WHERE project_id = %(project)s
    ) content GROUP BY sha256
  ) once
) + (
  SELECT coalesce(sum(u.size), 0) FROM registry_upload u
  JOIN registry_modelversion v ON v.id = u.version_id
  WHERE v.project_id = %(project)s AND NOT u.verified
)
"""


def bytes_kept(project_id: str) -> int:
    """Return how many bytes a project takes: those of its files, and what else it brought into the
    store and was not collected, equal contents once; and its announced uploads, each by itself
    until its contents count: whatever digest is announced, the bytes that come are others."""
    with connection.cursor() as cursor:
        cursor.execute(BYTES_KEPT, {"project": project_id})
        (kept,) = cursor.fetchone()
    return int(kept)


def bytes_removed(project_id: str) -> int:
    """Return how many of the bytes that a project keeps lie in the store and are no file of it."""
    files = ArtifactFile.objects.filter(project_id=project_id).values("sha256")
    rows = StoredContent.objects.filter(project_id=project_id).exclude(sha256__in=files)
    return int(rows.aggregate(n=Sum("size"))["n"] or 0)


def bytes_new(project_id: str, sizes: Mapping[str, int]) -> int:
    """Return how many bytes contents, given by digest, add to what a project keeps."""
    held = set[str]()
    for table in (ArtifactFile, StoredContent):
        known = table.objects.filter(project_id=project_id, sha256__in=sizes)
        held |= set(known.values_list("sha256", flat=True))
    return sum(size for sha256, size in sizes.items() if sha256 not in held)


def collected_within() -> timedelta:
    """Return how long what nothing needs lies in the store: so long, and until the next pass."""
    return timedelta(days=config().collect_after_days, hours=config().collect_grace_hours)
