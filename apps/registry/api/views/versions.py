"""Versions: creating, editing, finalising, comparing; tags, card and files."""

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import actions, cards, queries, readiness
from apps.registry.api.serializers import (
    CardSerializer,
    ComparisonSerializer,
    DraftSerializer,
    MissingSerializer,
    NewVersionSerializer,
    RenderedCardSerializer,
    TagsSerializer,
    VersionSerializer,
    VersionSummarySerializer,
)
from apps.registry.api.views.answers import file_tag, version_answer, version_tag
from apps.registry.models import ModelVersion, VersionState
from apps.registry.store import store
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, require_match
from placet.kernel.problems import FieldError, InvalidInput


class VersionView(PlacetView):
    """A view of one version."""

    def version(self, slug: str, name: str, number: int) -> ModelVersion:
        """Return the version that the address names."""
        return queries.version_for(slug, name, number, self.actor)


class VersionList(ListView):
    """The versions of a model."""

    filters = ("state",)

    @extend_schema(
        operation_id="versions_list",
        parameters=[OpenApiParameter("state", enum=VersionState.values)],
        responses=page_of(VersionSummarySerializer),
    )
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the versions of a model, newest first."""
        rows = queries.version_summaries(self.actor, queries.model_for(slug, name, self.actor))
        if (state := request.query_params.get("state")) is not None:
            if state not in VersionState.values:
                words = ", ".join(VersionState.values)
                raise InvalidInput(errors=[FieldError("state", f"One of {words}")])
            rows = rows.filter(state=state)
        return self.page(
            rows,
            many(VersionSummarySerializer),
            order="-number",
        )

    @extend_schema(
        operation_id="versions_create",
        request=NewVersionSerializer,
        responses={201: VersionSerializer},
    )
    def post(self, request: Request, slug: str, name: str) -> Response:
        """Create the next version as a draft."""
        model = queries.model_for(slug, name, self.actor)
        data: Any = self.body(NewVersionSerializer)
        return version_answer(actions.create_version(model, **data, actor=self.actor), 201)


class VersionDetail(VersionView):
    """One version."""

    @extend_schema(operation_id="versions_read", responses=VersionSerializer)
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Read a version with its files."""
        return version_answer(self.version(slug, name, number))

    @extend_schema(
        operation_id="versions_update", request=DraftSerializer, responses=VersionSerializer
    )
    def patch(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Change fields of a draft; fields left out stay. Needs If-Match."""
        version = self.version(slug, name, number)
        data: Any = self.body(DraftSerializer)
        require_match(request, version_tag(version))
        changed = actions.edit_draft(
            version, actor=self.actor, if_generation=version.generation, **data
        )
        return version_answer(changed)


class VersionFinalise(VersionView):
    """Freezing a draft."""

    @extend_schema(operation_id="versions_read_missing", responses=MissingSerializer)
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Tell what a draft still lacks; nothing when it can be, or is, finalised."""
        version = self.version(slug, name, number)
        found = readiness.faults(version) if version.state == VersionState.DRAFT else []
        return Response(MissingSerializer({"missing": found}).data)

    @extend_schema(operation_id="versions_finalise", request=None, responses=VersionSerializer)
    def post(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Freeze a draft; the answer of a refusal names everything that is missing."""
        version = self.version(slug, name, number)
        return version_answer(actions.finalise(version, actor=self.actor))


class VersionTags(VersionView):
    """The tags of a version."""

    @extend_schema(operation_id="versions_read_tags", responses=TagsSerializer)
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Read the tags of a version."""
        version = self.version(slug, name, number)
        return Response({"tags": version.tags}, headers={"ETag": version_tag(version)})

    @extend_schema(
        operation_id="versions_set_tags", request=TagsSerializer, responses=VersionSerializer
    )
    def put(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Replace the tags of a version. Needs If-Match with the version's ETag."""
        version = self.version(slug, name, number)
        data: Any = self.body(TagsSerializer)
        require_match(request, version_tag(version))
        changed = actions.set_tags(
            version, **data, actor=self.actor, if_generation=version.generation
        )
        return version_answer(changed)


class VersionCard(VersionView):
    """The model card of a version."""

    @extend_schema(operation_id="versions_read_card", responses=RenderedCardSerializer)
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Read a version's card: as written, its front matter, and as sanitised HTML."""
        version = self.version(slug, name, number)
        body = {
            "card": version.card,
            "data": cards.parse(version.card).data,
            "html": cards.render(version.card),
        }
        return Response(body, headers={"ETag": version_tag(version)})

    @extend_schema(
        operation_id="versions_set_card", request=CardSerializer, responses=VersionSerializer
    )
    def put(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Replace the card of a version. Needs If-Match with the version's ETag."""
        version = self.version(slug, name, number)
        data: Any = self.body(CardSerializer)
        require_match(request, version_tag(version))
        changed = actions.set_card(
            version, **data, actor=self.actor, if_generation=version.generation
        )
        return version_answer(changed)


class VersionCompare(VersionView):
    """Two versions of one model side by side."""

    @extend_schema(operation_id="versions_compare", responses=ComparisonSerializer)
    def get(self, request: Request, slug: str, name: str, a: int, b: int) -> Response:
        """Tell what changed from version ``a`` to version ``b``."""
        before, after = self.version(slug, name, a), self.version(slug, name, b)
        found = queries.compare(before, after, self.actor)
        return Response(ComparisonSerializer(found).data)


class VersionFile(VersionView):
    """One file of a version."""

    @extend_schema(
        operation_id="versions_read_file",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, slug: str, name: str, number: int, path: str) -> FileResponse:
        """Download a file; its bytes are checked against their digest first."""
        version = self.version(slug, name, number)
        file = queries.file_for(version, path, self.actor)
        return FileResponse(
            store().open_verified(file.sha256),
            as_attachment=True,
            filename=file.path.rsplit("/", 1)[-1],
            content_type="application/octet-stream",
            headers={"ETag": file_tag(file), "X-Content-Type-Options": "nosniff"},
        )

    @extend_schema(operation_id="versions_delete_file", responses={204: None})
    def delete(self, request: Request, slug: str, name: str, number: int, path: str) -> Response:
        """Take a file out of a draft. Needs If-Match with the file's ETag."""
        version = self.version(slug, name, number)
        file = queries.file_for(version, path, self.actor)
        require_match(request, file_tag(file))
        actions.remove_file(version, path=path, actor=self.actor, if_sha256=file.sha256)
        return Response(status=204)
