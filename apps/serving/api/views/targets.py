"""Targets and their join tokens."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.queries import project_by_slug
from apps.serving import actions, queries
from apps.serving.actions.targets import JOIN_TOKEN_MINUTES
from apps.serving.api.render import target_body, target_tag, use_body, use_tag
from apps.serving.api.serializers import (
    JoinTokenSerializer,
    NewTargetSerializer,
    NewTargetUseSerializer,
    TargetChangeSerializer,
    TargetSerializer,
    TargetUseSerializer,
)
from apps.serving.models import TargetUse
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, require_match
from placet.kernel.problems import FieldError, InvalidInput, NotFound


class TargetList(ListView):
    """Where Bentos run."""

    @extend_schema(operation_id="targets_list", responses=page_of(TargetSerializer))
    def get(self, request: Request) -> Response:
        """List the targets and how their nodes are."""
        rows = queries.visible_targets(self.actor)
        return self.page(rows, lambda found: [target_body(row, self.actor) for row in found])

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
        return Response(target_body(target, self.actor), status=201, headers=headers)


class TargetDetail(PlacetView):
    """One target."""

    @extend_schema(operation_id="targets_read", responses=TargetSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Read a target."""
        target = queries.get_target(name, self.actor)
        return Response(target_body(target, self.actor), headers={"ETag": target_tag(target)})

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
        return Response(target_body(changed, self.actor), headers={"ETag": target_tag(changed)})


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


def use_of(name: str, use: str, actor: Actor) -> TargetUse:
    """Return the entry of a target's list that a path names."""
    found = queries.uses_of(queries.get_target(name, actor), actor).filter(pk=use).first()
    if found is None:
        raise NotFound
    return found


class UseList(ListView):
    """Who may use a target."""

    @extend_schema(operation_id="target_uses_list", responses=page_of(TargetUseSerializer))
    def get(self, request: Request, name: str) -> Response:
        """List the projects and environments that may use a target, of those that you see."""
        rows = queries.uses_of(queries.get_target(name, self.actor), self.actor)
        return self.page(rows, lambda found: [use_body(row) for row in found])

    @extend_schema(
        operation_id="target_uses_add",
        request=NewTargetUseSerializer,
        responses={200: TargetUseSerializer, 201: TargetUseSerializer},
    )
    def post(self, request: Request, name: str) -> Response:
        """Let a project, or one of its environments, use a target. Twice is once: 200."""
        target = queries.get_target(name, self.actor)
        data: Any = self.body(NewTargetUseSerializer)
        try:
            project = project_by_slug(data.pop("project"), self.actor)
        except NotFound:
            errors = [FieldError("/project", "There is no such project")]
            raise InvalidInput(errors=errors) from None
        use, made = actions.allow_use(target, project=project, actor=self.actor, **data)
        headers = {"ETag": use_tag(use), "Location": f"/api/v1/targets/{name}/uses/{use.pk}"}
        return Response(
            use_body(use_of(name, use.pk, self.actor)), status=201 if made else 200, headers=headers
        )


class UseDetail(PlacetView):
    """One entry of a target's list."""

    @extend_schema(operation_id="target_uses_read", responses=TargetUseSerializer)
    def get(self, request: Request, name: str, use: str) -> Response:
        """Read who may use a target by one entry."""
        row = use_of(name, use, self.actor)
        return Response(use_body(row), headers={"ETag": use_tag(row)})

    @extend_schema(operation_id="target_uses_remove", responses={204: None})
    def delete(self, request: Request, name: str, use: str) -> Response:
        """Take an entry off the list; refused while endpoints stand there by it. Needs If-Match."""
        row = use_of(name, use, self.actor)
        require_match(request, use_tag(row))
        actions.end_use(row, actor=self.actor)
        return Response(status=204)
