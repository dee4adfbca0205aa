"""Builds with their logs; Bentos with their papers; runtimes."""

from typing import Any

from django.http import FileResponse, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.builds import actions, queries
from apps.builds.api.serializers import (
    BentoSerializer,
    BuildSerializer,
    LineSerializer,
    LogSerializer,
    NewBuildSerializer,
    RuntimeSerializer,
)
from apps.builds.errors import PaperMissing
from apps.builds.models import Build
from apps.builds.rules import OPEN
from apps.registry.errors import BlobMissing
from apps.registry.queries import version_for
from apps.registry.store import store
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.problems import FieldError, InvalidInput

CYCLONEDX, DSSE = "application/vnd.cyclonedx+json", "application/vnd.dsse+json"
SIGSTORE = "application/vnd.dev.sigstore.bundle.v0.3+json"
DOCUMENT = OpenApiResponse(OpenApiTypes.OBJECT, description="The document")


def build_answer(build: Build, status: int = 200) -> Response:
    """Answer with one build."""
    headers = {"ETag": etag(build.pk, build.generation, build.step)}
    if status == 202:
        headers["Location"] = f"/api/v1/builds/{build.pk}"
    return Response(BuildSerializer(build).data, status=status, headers=headers)


def download(content: str | bytes, name: str, content_type: str) -> HttpResponse:
    """Answer with a small document to be saved."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=content_type, headers=headers)


class VersionBuilds(ListView):
    """The builds of a version."""

    @extend_schema(operation_id="builds_list", responses=page_of(BuildSerializer))
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        """List the builds of a version, newest first."""
        version = version_for(slug, name, number, self.actor)
        rows = queries.builds(self.actor, version)
        return self.page(rows, many(BuildSerializer))

    @extend_schema(
        operation_id="builds_create",
        request=NewBuildSerializer,
        responses={202: BuildSerializer},
    )
    def post(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Have the version built. While a build of it is open, that one is the answer."""
        version = version_for(slug, name, number, self.actor)
        data: Any = self.body(NewBuildSerializer)
        return build_answer(actions.request_build(version, **data, actor=self.actor), 202)


class VersionMlBom(PlacetView):
    """The ML bill of materials of a version."""

    @extend_schema(operation_id="versions_ml_bom", responses={(200, CYCLONEDX): DOCUMENT})
    def get(self, request: Request, slug: str, name: str, number: int) -> Any:
        """Fetch the CycloneDX 1.7 document with its model card, made from what is known now."""
        version = version_for(slug, name, number, self.actor)
        content = queries.version_ml_bom(version, self.actor)
        return download(content, f"{name}-{number}.cdx.json", CYCLONEDX)


class BuildDetail(PlacetView):
    """One build."""

    @extend_schema(operation_id="builds_read", responses=BuildSerializer)
    def get(self, request: Request, build: str) -> Response:
        """Read a build."""
        return build_answer(queries.build_for(build, self.actor))


class BuildLog(PlacetView):
    """The log of a build, as it grows."""

    query_params = ("after",)

    @extend_schema(
        operation_id="builds_log",
        parameters=[OpenApiParameter("after", int, description="the last number you have")],
        responses=LogSerializer,
    )
    def get(self, request: Request, build: str) -> Response:
        """Read the lines after a number, at most 1,000 at once."""
        row = queries.build_for(build, self.actor)
        after = self._after()
        lines = queries.lines_after(row, after)
        answer = {
            "lines": LineSerializer(lines, many=True).data,
            "after": lines[-1].number if lines else after,
            "state": row.state,
            "step": row.step,
            "ended": row.state not in OPEN,
        }
        return Response(answer)

    def _after(self) -> int:
        text = self.request.query_params.get("after", "0")
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise InvalidInput(errors=[FieldError("after", "A whole number from 0 on")])
        return int(text)


class BuildCancel(PlacetView):
    """Stopping a build."""

    @extend_schema(operation_id="builds_cancel", request=None, responses={202: BuildSerializer})
    def post(self, request: Request, build: str) -> Response:
        """Stop a build: at once when it waits, else as soon as its worker looks."""
        row = queries.build_for(build, self.actor)
        return build_answer(actions.cancel_build(row, actor=self.actor), 202)


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


class RuntimeDetail(PlacetView):
    """One runtime."""

    @extend_schema(operation_id="runtimes_read", responses=RuntimeSerializer)
    def get(self, request: Request, digest: str) -> Response:
        """Read a runtime with its lock and wheels."""
        runtime = queries.runtime_for(digest, self.actor)
        return Response(RuntimeSerializer(runtime).data, headers={"ETag": etag(runtime.pk)})
