"""Versions: creating, editing, finalising, and their tags."""

from typing import Any

from django.db.models import Prefetch, prefetch_related_objects
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.registry import actions, queries, readiness
from apps.registry.api.fields import (
    ObjectField,
    OutputsField,
    RowsField,
    SignatureField,
    TagsField,
    requirements_field,
    variables_field,
)
from apps.registry.api.files import FileSerializer
from apps.registry.hooks import version_keeper
from apps.registry.models import ArtifactFile, ModelVersion, VersionState
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.serializers import Serializer
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.problems import FieldError, InvalidInput


class VersionSummarySerializer(Serializer):
    """A version as lists show it."""

    id = serializers.CharField()
    project = serializers.CharField(source="model.project.slug")
    model = serializers.CharField(source="model.name")
    number = serializers.IntegerField()
    state = serializers.ChoiceField(choices=VersionState.values)
    format = serializers.CharField()
    artifact_digest = serializers.CharField()
    author = serializers.CharField()
    created_by = serializers.CharField()
    tags = TagsField()
    created_at = serializers.DateTimeField()
    finalised_at = serializers.DateTimeField(allow_null=True)
    recalled = serializers.SerializerMethodField(
        help_text="Whether it, or data that it was trained on, is recalled: no release of it runs"
    )
    recalled_because = serializers.SerializerMethodField(help_text="In a sentence; '' if it is not")

    def get_recalled(self, version: Any) -> bool:
        """Tell whether a recall of it stands."""
        return bool(version.recalls)

    def get_recalled_because(self, version: Any) -> str:
        """Return which recall that is."""
        return version_keeper().sentence(version.recalls)


class VersionSerializer(VersionSummarySerializer):
    """A version with all its facts but its evidence; frozen once it is finalised."""

    python_version = serializers.CharField()
    requirements = requirements_field()
    variables = variables_field()
    parameters = ObjectField()
    lineage = ObjectField()
    signature = SignatureField(allow_null=True)
    example = RowsField(allow_null=True)
    expected = OutputsField(allow_null=True)
    card = serializers.CharField()
    files = FileSerializer(many=True)


class DraftSerializer(Serializer):
    """What is frozen when a version is finalised."""

    format = serializers.CharField(required=False, allow_blank=True)
    python_version = serializers.CharField(required=False, allow_blank=True)
    requirements = requirements_field(required=False)
    variables = variables_field(required=False)
    parameters = ObjectField(required=False)
    lineage = ObjectField(required=False)
    signature = SignatureField(required=False, allow_null=True)
    example = RowsField(required=False, allow_null=True)
    expected = OutputsField(required=False, allow_null=True)


class NewVersionSerializer(DraftSerializer):
    """A version to be created."""

    tags = TagsField(required=False)
    card = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)


class TagsSerializer(Serializer):
    """All tags of a version."""

    tags = TagsField()


class FaultSerializer(Serializer):
    """One thing that a draft lacks or has wrong."""

    pointer = serializers.CharField()
    detail = serializers.CharField()


class MissingSerializer(Serializer):
    """What a draft lacks before it can be finalised."""

    missing = FaultSerializer(many=True)


def version_tag(version: ModelVersion) -> str:
    """Return the ETag of a version: every change of it moves its generation on."""
    return etag(version.pk, version.generation, version.state)


def version_address(version: ModelVersion) -> str:
    """Return where a version is read."""
    model = version.model
    return f"/api/v1/projects/{model.project.slug}/models/{model.name}/versions/{version.number}"


def version_body(version: Any, *, new: bool = False) -> dict[str, object]:
    """Return a version with its files, sorted by path; a ``new`` one has none yet."""
    rows = ModelVersion.objects.filter(pk=version.pk).annotate(found=version_keeper().recalls())
    version.recalls = rows.values_list("found", flat=True).get()
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
            rows.annotate(recalls=version_keeper().recalls()),
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
        match_for("version.edit", version, version_tag(version), asked=self, see="version.view")
        changed = actions.edit_draft(
            version, actor=self.actor, if_generation=version.generation, **data
        )
        return version_answer(changed)

    @extend_schema(operation_id="versions_discard", responses={204: None})
    def delete(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Discard a draft with its files and what was reported of it. No other version gets its
        number. Needs If-Match."""
        version = self.version(slug, name, number)
        match_for("version.edit", version, version_tag(version), asked=self, see="version.view")
        actions.discard_draft(version, actor=self.actor, if_generation=version.generation)
        return Response(status=204)


class VersionFinalise(VersionView):
    """Freezing a draft."""

    @extend_schema(operation_id="versions_read_missing", responses=MissingSerializer)
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Tell what a draft still lacks; nothing when it can be, or is, finalised."""
        version = self.version(slug, name, number)
        faults = readiness.faults(version) if version.state == VersionState.DRAFT else []
        return Response(MissingSerializer({"missing": faults}).data)

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
        match_for("version.edit", version, version_tag(version), asked=self, see="version.view")
        changed = actions.set_tags(
            version, **data, actor=self.actor, if_generation=version.generation
        )
        return version_answer(changed)
