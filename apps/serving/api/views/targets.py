"""Targets and their join tokens."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.serving import actions, queries
from apps.serving.actions.targets import JOIN_TOKEN_MINUTES
from apps.serving.api.render import target_body, target_tag
from apps.serving.api.serializers import (
    JoinTokenSerializer,
    NewTargetSerializer,
    TargetChangeSerializer,
    TargetSerializer,
    page_of,
)
from placet.kernel.api.views import PlacetView, require_match


class TargetList(PlacetView):
    """Where Bentos run."""

    query_params = ("limit", "cursor")

    @extend_schema(operation_id="targets_list", responses=page_of(TargetSerializer))
    def get(self, request: Request) -> Response:
        """List the targets and how their nodes are."""
        rows = queries.visible_targets(self.actor)
        return self.page(rows, lambda found: [target_body(row) for row in found])

    @extend_schema(
        operation_id="targets_create",
        request=NewTargetSerializer,
        responses={201: TargetSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a target."""
        data: Any = self.body(NewTargetSerializer)
        target = actions.create_target(**data, actor=self.actor)
        headers = {"ETag": target_tag(target), "Location": f"/api/v1/targets/{target.name}"}
        return Response(target_body(target), status=201, headers=headers)


class TargetDetail(PlacetView):
    """One target."""

    @extend_schema(operation_id="targets_read", responses=TargetSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Read a target."""
        target = queries.get_target(name, self.actor)
        return Response(target_body(target), headers={"ETag": target_tag(target)})

    @extend_schema(
        operation_id="targets_update",
        request=TargetChangeSerializer,
        responses=TargetSerializer,
    )
    def patch(self, request: Request, name: str) -> Response:
        """Change a target. Needs If-Match."""
        target = queries.get_target(name, self.actor)
        data: Any = self.body(TargetChangeSerializer)
        require_match(request, target_tag(target))
        changed = actions.update_target(target, revision=target.revision, actor=self.actor, **data)
        return Response(target_body(changed), headers={"ETag": target_tag(changed)})


class JoinTokenList(PlacetView):
    """Tokens that let a node join."""

    @extend_schema(
        operation_id="join_tokens_create", request=None, responses={201: JoinTokenSerializer}
    )
    def post(self, request: Request, name: str) -> Response:
        """Issue a token for one node, good once and for an hour; it is shown only here."""
        target = queries.get_target(name, self.actor)
        token = actions.issue_join_token(target, actor=self.actor)
        body = {"token": token, "expires_in_seconds": JOIN_TOKEN_MINUTES * 60}
        return Response(body, status=201, headers={"Cache-Control": "no-store"})
