"""Bentos with their papers."""

from typing import Any

from django.http import FileResponse, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.builds import queries
from apps.builds.errors import PaperMissing
from apps.registry.errors import BlobMissing
from apps.registry.store import store
from placet.kernel.api.views import PlacetView, etag

CYCLONEDX, DSSE = "application/vnd.cyclonedx+json", "application/vnd.dsse+json"
SIGSTORE = "application/vnd.dev.sigstore.bundle.v0.3+json"
DOCUMENT = OpenApiResponse(OpenApiTypes.OBJECT, description="The document")


class BentoSerializer(serializers.Serializer[Any]):
    """What is approved and served, byte for byte."""

    digest = serializers.CharField()
    version = serializers.CharField(source="version_id")
    name = serializers.CharField(source="version.__str__", help_text="model:number")
    project = serializers.CharField(source="project.slug")
    build = serializers.CharField(source="build_id")
    isolation = serializers.CharField(source="build.isolation")
    runtime = serializers.CharField(source="runtime_id")
    python_version = serializers.CharField(source="runtime.python_version")
    size = serializers.IntegerField()
    sbom_sha256 = serializers.CharField(source="sbom")
    has_model_signature = serializers.SerializerMethodField()
    accelerated = serializers.BooleanField(help_text="answers with the model's ONNX form")
    slim = serializers.BooleanField(help_text="can be served without BentoML")
    created_at = serializers.DateTimeField()

    def get_has_model_signature(self, bento: Any) -> bool:
        """Tell whether ``model.sig`` can be fetched."""
        return bool(bento.model_signature)


def download(content: str | bytes, name: str, content_type: str) -> HttpResponse:
    """Answer with a small document to be saved."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=content_type, headers=headers)


class BentoDetail(PlacetView):
    """One Bento."""

    @extend_schema(operation_id="bentos_read", responses=BentoSerializer)
    def get(self, request: Request, digest: str) -> Response:
        """Read a Bento."""
        bento = queries.bento_for(digest, self.actor)
        return Response(BentoSerializer(bento).data, headers={"ETag": etag(bento.pk)})


class BentoSbom(PlacetView):
    """The bill of materials of a Bento."""

    @extend_schema(operation_id="bentos_sbom", responses={(200, CYCLONEDX): DOCUMENT})
    def get(self, request: Request, digest: str) -> Any:
        """Fetch the CycloneDX document."""
        bento = queries.bento_for(digest, self.actor)
        try:
            stream = store().open_verified(bento.sbom)
        except (BlobMissing, ValueError):
            raise PaperMissing from None
        return FileResponse(
            stream, as_attachment=True, filename="sbom.cdx.json", content_type=CYCLONEDX
        )


class BentoProvenance(PlacetView):
    """How a Bento came to be."""

    @extend_schema(operation_id="bentos_provenance", responses={(200, DSSE): DOCUMENT})
    def get(self, request: Request, digest: str) -> Any:
        """Fetch the signed SLSA provenance as a DSSE envelope."""
        bento = queries.bento_for(digest, self.actor)
        return download(bento.provenance, "provenance.dsse.json", DSSE)


class BentoModelSignature(PlacetView):
    """The OpenSSF signature over the version's files."""

    @extend_schema(operation_id="bentos_model_signature", responses={(200, SIGSTORE): DOCUMENT})
    def get(self, request: Request, digest: str) -> Any:
        """Fetch ``model.sig``."""
        bento = queries.bento_for(digest, self.actor)
        if not bento.model_signature:
            raise PaperMissing
        return download(bento.model_signature, "model.sig", SIGSTORE)
