"""Who may use a target."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.identity.queries import project_by_slug
from apps.serving import actions, queries
from apps.serving.api.fields import NAME
from apps.serving.models import TargetUse
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.clock import rfc3339
from placet.kernel.problems import FieldError, InvalidInput, NotFound


class TargetUseSerializer(serializers.Serializer[Any]):
    """A project, or one environment of it, that may use a target."""

    id = serializers.CharField()
    project = serializers.CharField()
    environment = serializers.CharField(help_text="Empty: every environment of the project")
    note = serializers.CharField(help_text="That there is no such environment yet, or ''")
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewTargetUseSerializer(serializers.Serializer[Any]):
    """Who is to use a target."""

    project = serializers.SlugField(max_length=60)
    environment = serializers.RegexField(
        NAME,
        max_length=40,
        required=False,
        help_text="Left out: every one of the project",
        error_messages={"invalid": "The name of an environment, or leave it out for all of them"},
    )


def use_tag(use: TargetUse) -> str:
    """Return the ETag of an entry of a target's list; it never changes."""
    return etag(use.pk, 1)


def use_body(use: Any) -> dict[str, Any]:
    """Return an entry of a target's list, as ``uses_of`` reads it."""
    return {
        "id": use.pk,
        "project": use.project.slug,
        "environment": use.environment,
        "note": use.note,
        "created_by": use.created_by,
        "created_at": rfc3339(use.created_at),
    }


def use_of(name: str, use: str, actor: Actor) -> TargetUse:
    """Return the entry of a target's list that a path names."""
    row = queries.uses_of(queries.get_target(name, actor), actor).filter(pk=use).first()
    if row is None:
        raise NotFound
    return row


class UseList(ListView):
    """Who may use a target."""

    @extend_schema(operation_id="target_uses_list", responses=page_of(TargetUseSerializer))
    def get(self, request: Request, name: str) -> Response:
        """List the projects and environments that may use a target, of those that you see."""
        rows = queries.uses_of(queries.get_target(name, self.actor), self.actor)
        return self.page(rows, lambda page: [use_body(row) for row in page])

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
        use, created = actions.allow_use(target, project=project, actor=self.actor, **data)
        headers = {"ETag": use_tag(use), "Location": f"/api/v1/targets/{name}/uses/{use.pk}"}
        return Response(
            use_body(use_of(name, use.pk, self.actor)),
            status=201 if created else 200,
            headers=headers,
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
        match_for("target.manage", None, use_tag(row), asked=self)
        actions.end_use(row, actor=self.actor)
        return Response(status=204)
