"""ETags and bodies that several routes answer with."""

from django.db.models import Prefetch, prefetch_related_objects
from rest_framework.response import Response

from apps.registry.api.serializers import VersionSerializer
from apps.registry.models import Alias, ArtifactFile, ModelVersion, RegisteredModel, Upload
from placet.kernel.api.views import etag


def model_tag(model: RegisteredModel) -> str:
    """Return the ETag of a model."""
    return etag(model.pk, model.revision)


def version_tag(version: ModelVersion) -> str:
    """Return the ETag of a version: every change of it moves its generation on."""
    return etag(version.pk, version.generation, version.state)


def alias_tag(alias: Alias) -> str:
    """Return the ETag of an alias."""
    return etag(alias.pk, alias.version_id, alias.managed_by)


def file_tag(file: ArtifactFile) -> str:
    """Return the ETag of a file: its bytes."""
    return f'"{file.sha256}"'


def upload_tag(upload: Upload) -> str:
    """Return the ETag of an upload."""
    return etag(upload.pk, upload.received)


def version_address(version: ModelVersion) -> str:
    """Return where a version is read."""
    model = version.model
    return f"/api/v1/projects/{model.project.slug}/models/{model.name}/versions/{version.number}"


def version_body(version: ModelVersion, *, new: bool = False) -> dict[str, object]:
    """Return a version with its files, sorted by path; a ``new`` one has none yet."""
    files = ArtifactFile.objects.none() if new else ArtifactFile.objects.order_by("path")
    prefetch_related_objects([version], Prefetch("files", files))
    body: dict[str, object] = VersionSerializer(version).data
    return body


def version_answer(version: ModelVersion, status: int = 200) -> Response:
    """Answer with one version."""
    headers = {"ETag": version_tag(version)}
    if status == 201:
        headers["Location"] = version_address(version)
    return Response(version_body(version, new=status == 201), status=status, headers=headers)
