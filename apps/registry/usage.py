"""How many bytes a project keeps."""

from collections.abc import Mapping

from django.db import connection

from apps.registry.models import ArtifactFile

BYTES_KEPT = """
SELECT (
  SELECT coalesce(sum(size), 0) FROM (
    SELECT max(size) AS size FROM registry_artifactfile WHERE project_id = %s GROUP BY sha256
  ) once
) + (
  SELECT coalesce(sum(u.size), 0) FROM registry_upload u
  JOIN registry_modelversion v ON v.id = u.version_id WHERE v.project_id = %s
)
"""


def bytes_kept(project_id: str) -> int:
    """Return how many bytes a project's files take, equal contents once, and its announced uploads,
    each by itself: whatever digest is announced, the bytes that come are others until the end."""
    with connection.cursor() as cursor:
        cursor.execute(BYTES_KEPT, [project_id, project_id])
        (kept,) = cursor.fetchone()
    return int(kept)


def bytes_new(project_id: str, sizes: Mapping[str, int]) -> int:
    """Return how many bytes contents, given by digest, add to what a project's files take."""
    known = ArtifactFile.objects.filter(project_id=project_id, sha256__in=sizes)
    held = set(known.values_list("sha256", flat=True))
    return sum(size for sha256, size in sizes.items() if sha256 not in held)
