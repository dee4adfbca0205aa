"""What somebody watches."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance.models import Release
from apps.governance.queries.visible_rows import releases
from apps.identity.api.lookups import named_project
from apps.notices import actions, queries
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.problems import FieldError, InvalidInput

ONE = "Name either a project or a release"


class WatchSerializer(serializers.Serializer[Any]):
    """A project or a release that one watches, or a release of which one wants no news."""

    project = serializers.CharField(source="project.slug")
    release = serializers.CharField(
        source="release_id", allow_null=True, help_text="null: the whole project"
    )
    is_on = serializers.BooleanField(help_text="false: no news of this release")
    created_at = serializers.DateTimeField()


class NewWatchSerializer(serializers.Serializer[Any]):
    """What one wants to watch, or no longer: either a project or a release."""

    project = serializers.CharField(
        max_length=60, allow_null=True, default=None, help_text="The slug of a project"
    )
    release = serializers.CharField(
        max_length=40, allow_null=True, default=None, help_text="The id of a release"
    )
    is_on = serializers.BooleanField(
        default=True, help_text="false: no longer; of a release no news at all"
    )


def watch(data: dict[str, Any], actor: Actor) -> None:
    """Do what a body asks for."""
    if (data["project"] is None) == (data["release"] is None):
        fields = ("/project", "/release")
        raise InvalidInput(errors=[FieldError(field, ONE) for field in fields])
    if data["release"] is not None:
        release = named_release(data["release"], actor)
        actions.watch_release(release, is_on=data["is_on"], actor=actor)
    elif project := named_project(data["project"], actor):
        actions.watch_project(project, is_on=data["is_on"], actor=actor)


def named_release(pk: str, actor: Actor) -> Release:
    """Return the release that a body names by id, among those that ``actor`` sees."""
    row = releases(actor).filter(pk=pk).first()
    if row is None:
        raise InvalidInput(errors=[FieldError("/release", "There is none with this id")])
    return row


class WatchList(ListView):
    """What one watches."""

    @extend_schema(operation_id="notices_watches", responses=page_of(WatchSerializer))
    def get(self, request: Request) -> Response:
        """List the projects and releases that you watch, and the releases of which you want no
        news; the newest choice first. Releases that you asked for, decided on or were mentioned in
        you watch without a choice."""
        actions.refuse_program(self.actor)
        return self.page(queries.own_watches(self.actor), many(WatchSerializer))

    @extend_schema(operation_id="notices_watch", request=NewWatchSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        """Watch a project or a release, or do no longer."""
        watch(self.body(NewWatchSerializer), self.actor)
        return Response(status=204)
