"""Who is asking."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.queries import withheld_roles
from placet.kernel.actor import Actor
from placet.kernel.api.views import PlacetView


class GrantSerializer(serializers.Serializer[Any]):
    """One permission, and where it holds."""

    permission = serializers.CharField()
    project = serializers.CharField(allow_null=True)
    environment = serializers.CharField(allow_null=True)
    role = serializers.CharField()


class WhoamiSerializer(serializers.Serializer[Any]):
    """Who asks, and for whom, and what they may do."""

    kind = serializers.ChoiceField(choices=["person", "service"])
    id = serializers.CharField()
    name = serializers.CharField()
    accountable = serializers.CharField()
    token = serializers.CharField(allow_null=True)
    second_factor = serializers.BooleanField()
    withheld_roles = serializers.ListField(
        child=serializers.CharField(),
        help_text="Roles that count once you have a second factor to sign in with",
    )
    grants = GrantSerializer(many=True)


def _withheld(actor: Actor) -> frozenset[str]:
    if actor.kind != "person" or actor.in_session:
        return actor.withheld
    return withheld_roles(actor.id)


class Whoami(PlacetView):
    """Who is asking."""

    @extend_schema(operation_id="whoami", responses=WhoamiSerializer)
    def get(self, request: Request) -> Response:
        """Say who you are to Placet and what you may do."""
        actor = self.actor
        grants = sorted(
            (g.permission, g.scope.project or "", g.scope.environment or "", g.role)
            for g in actor.grants
        )
        body = {
            "kind": actor.kind,
            "id": actor.id,
            "name": actor.label,
            "accountable": actor.accountable,
            "token": actor.token,
            "second_factor": actor.mfa,
            "withheld_roles": sorted(_withheld(actor)),
            "grants": [
                {"permission": p, "project": j or None, "environment": e or None, "role": r}
                for p, j, e, r in grants
            ],
        }
        return Response(body)
