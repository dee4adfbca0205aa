"""Model cards."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.registry import actions, cards
from apps.registry.api.fields import ObjectField
from apps.registry.api.versions import VersionSerializer, VersionView, version_answer, version_tag
from placet.kernel.api.serializers import Serializer


class CardSerializer(Serializer):
    """A model card: Markdown with YAML front matter."""

    card = serializers.CharField(allow_blank=True, trim_whitespace=False)


class RenderedCardSerializer(CardSerializer):
    """A model card as it was written, its front matter, and its Markdown as sanitised HTML."""

    data = ObjectField()  # type: ignore[assignment]
    html = serializers.CharField()


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
        match_for("version.edit", version, version_tag(version), asked=self, see="version.view")
        changed = actions.set_card(
            version, **data, actor=self.actor, if_generation=version.generation
        )
        return version_answer(changed)
