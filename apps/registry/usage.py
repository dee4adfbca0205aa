"""How many bytes a project keeps."""

from django.db import connection

from apps.registry.models import ArtifactFile, Upload

BYTES_KEPT = """
SELECT coalesce(sum(size), 0) FROM (
  SELECT max(size) AS size FROM (
    SELECT sha256, size FROM registry_artifactfile WHERE project_id = %s
    UNION ALL
    SELECT u.sha256, u.size FROM registry_upload u
    JOIN registry_modelversion v ON v.id = u.version_id WHERE v.project_id = %s
  ) every GROUP BY sha256
) once
"""


def bytes_kept(project_id: str) -> int:
    """Return how many bytes a project's files take, announced uploads included; equal contents
    count once."""
    with connection.cursor() as cursor:
        cursor.execute(BYTES_KEPT, [project_id, project_id])
        (kept,) = cursor.fetchone()
    return int(kept)


def counted(project_id: str, sha256: str) -> bool:
    """Tell whether a content counts among what the project keeps already."""
    files = ArtifactFile.objects.filter(project_id=project_id, sha256=sha256)
    uploads = Upload.objects.filter(version__project_id=project_id, sha256=sha256)
    return files.exists() or uploads.exists()
