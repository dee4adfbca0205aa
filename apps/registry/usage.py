"""How many bytes a project keeps."""

from django.db import connection

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
