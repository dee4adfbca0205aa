"""Evidence about a version."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry import actions, queries
from apps.registry.api.fields import ObjectField
from apps.registry.api.versions import VersionView, version_address
from apps.registry.models import EvidenceSource
from apps.registry.rules import KINDS
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.serializers import Serializer
from placet.kernel.api.views import etag
from placet.kernel.problems import FieldError, InvalidInput, NotFound


class EvidenceSerializer(Serializer):
    """A fact about a version, reported by somebody or measured by Placet."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=list(KINDS))
    source = serializers.ChoiceField(choices=EvidenceSource.values)  # type: ignore[assignment]
    data = ObjectField()  # type: ignore[assignment]
    digest = serializers.CharField()
    bento_digest = serializers.CharField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewEvidenceSerializer(Serializer):
    """A fact to be reported."""

    kind = serializers.CharField()
    data = ObjectField()  # type: ignore[assignment]
    source = serializers.CharField(required=False)  # type: ignore[assignment]
    bento_digest = serializers.CharField(required=False, allow_blank=True)


class EvidenceList(VersionView, ListView):
    """The evidence about a version."""

    filters = ("kind", "source")

    @extend_schema(
        operation_id="evidence_list",
        parameters=[
            OpenApiParameter("kind", enum=list(KINDS)),
            OpenApiParameter("source", enum=EvidenceSource.values),
        ],
        responses=page_of(EvidenceSerializer),
    )
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        """List the evidence about a version, newest first."""
        rows = queries.evidence(self.version(slug, name, number), self.actor)
        for field, words in (("kind", list(KINDS)), ("source", EvidenceSource.values)):
            if (value := request.query_params.get(field)) is not None:
                if value not in words:
                    raise InvalidInput(errors=[FieldError(field, f"One of {', '.join(words)}")])
                rows = rows.filter(**{field: value})
        return self.page(rows, many(EvidenceSerializer))

    @extend_schema(
        operation_id="evidence_add",
        request=NewEvidenceSerializer,
        responses={201: EvidenceSerializer},
    )
    def post(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Report a fact about a version. It cannot be changed afterwards; a newer one counts."""
        version = self.version(slug, name, number)
        data: Any = self.body(NewEvidenceSerializer)
        row = actions.add_evidence(version, **data, actor=self.actor)
        headers = {
            "ETag": etag(row.pk, row.digest),
            "Location": f"{version_address(version)}/evidence/{row.pk}",
        }
        return Response(EvidenceSerializer(row).data, status=201, headers=headers)


class EvidenceDetail(VersionView):
    """One fact."""

    @extend_schema(operation_id="evidence_read", responses=EvidenceSerializer)
    def get(self, request: Request, slug: str, name: str, number: int, evidence: str) -> Response:
        """Read one fact about a version."""
        rows = queries.evidence(self.version(slug, name, number), self.actor)
        row = rows.filter(pk=evidence).first()
        if row is None:
            raise NotFound
        headers = {"ETag": etag(row.pk, row.digest)}
        return Response(EvidenceSerializer(row).data, headers=headers)
