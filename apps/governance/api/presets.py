"""Plans that are ready to be chosen."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance.api.environments import environment_of
from apps.governance.queries import visible_rows
from apps.governance.queries.presets import presets
from apps.governance.rules import PolicyState
from placet.kernel.api.views import PlacetView


class PresetSerializer(serializers.Serializer[Any]):
    """A plan that is ready to be chosen: one of the environment's own, or one of everybody's.
    ``refused`` says what the policy has against it."""

    name = serializers.CharField(help_text='What a release asks for it by: {"preset": name}')
    title = serializers.CharField()
    says = serializers.CharField()
    plan = serializers.DictField()
    refused = serializers.CharField(help_text="What the policy in force has against it, or ''")


class PresetsSerializer(serializers.Serializer[Any]):
    """The plans that are ready to be chosen."""

    items = PresetSerializer(many=True)


class PresetList(PlacetView):
    """Plans to choose from."""

    @extend_schema(operation_id="plans_list", responses=PresetsSerializer)
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the plans that are ready to be chosen, and what the policy has against each."""
        environment = environment_of(slug, name, self.actor)
        published = visible_rows.policies(environment, self.actor).filter(
            state=PolicyState.PUBLISHED
        )
        items = presets(published.order_by("-number").first(), environment)
        return Response(PresetsSerializer({"items": items}).data)
