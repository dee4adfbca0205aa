"""Environments and their freezes."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance import actions
from apps.governance.api.serializers import (
    EnvironmentChangeSerializer,
    EnvironmentSerializer,
    FreezeSerializer,
    NewEnvironmentSerializer,
    NewFreezeSerializer,
    PresetsSerializer,
)
from apps.governance.models import Environment, Freeze
from apps.governance.queries import visible_rows
from apps.governance.queries.presets import presets
from apps.identity.queries import project_by_slug
from apps.serving.models import Target
from apps.serving.queries import visible_targets
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, etag, require_match
from placet.kernel.problems import FieldError, InvalidInput, NotFound


def place_of(slug: str, name: str, actor: Actor) -> Environment:
    """Return the environment that a path names."""
    return visible_rows.environment(project_by_slug(slug, actor), name, actor)


def targets_of(
    names: list[str], actor: Actor, place: Environment | None = None, *, at: str = "/targets"
) -> list[Target]:
    """Return targets by name, or say which is not there: one that ``actor`` may not see is none.

    Those that ``place`` is on already may be named again. Whether the others may be used the
    actions ask.
    """
    found = {t.name: t for t in visible_targets(actor).filter(name__in=names)}
    if place is not None:
        found |= {t.name: t for t in place.targets.all() if t.name in names}
    missing = [n for n in names if n not in found]
    if missing:
        errors = [FieldError(at, f"There is no target {n}") for n in missing]
        raise InvalidInput(errors=errors)
    return list(found.values())


def _tag(row: Environment) -> str:
    return etag(row.pk, row.revision)


def _answer(row: Environment, actor: Actor, status: int = 200) -> Response:
    fresh = visible_rows.environment(row.project, row.name, actor)
    headers = {"ETag": _tag(fresh)}
    if status == 201:
        path = f"/api/v1/projects/{fresh.project.slug}/environments/{fresh.name}"
        headers["Location"] = path
    return Response(EnvironmentSerializer(fresh).data, status=status, headers=headers)


class EnvironmentList(ListView):
    """The environments of a project."""

    @extend_schema(operation_id="environments_list", responses=page_of(EnvironmentSerializer))
    def get(self, request: Request, slug: str) -> Response:
        """List the environments of a project by name; ``position`` gives their order."""
        rows = visible_rows.environments(project_by_slug(slug, self.actor), self.actor)
        return self.page(rows, many(EnvironmentSerializer), order="name")

    @extend_schema(
        operation_id="environments_create",
        request=NewEnvironmentSerializer,
        responses={201: EnvironmentSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Add an environment. It has no policy yet, so nothing passes."""
        project = project_by_slug(slug, self.actor)
        data: Any = self.body(NewEnvironmentSerializer)
        data["targets"] = targets_of(data.get("targets", []), self.actor)
        row = actions.create_environment(project, **data, actor=self.actor)
        return _answer(row, self.actor, 201)


class EnvironmentDetail(PlacetView):
    """One environment."""

    @extend_schema(operation_id="environments_read", responses=EnvironmentSerializer)
    def get(self, request: Request, slug: str, name: str) -> Response:
        """Read an environment."""
        return _answer(place_of(slug, name, self.actor), self.actor)

    @extend_schema(
        operation_id="environments_update",
        request=EnvironmentChangeSerializer,
        responses=EnvironmentSerializer,
    )
    def patch(self, request: Request, slug: str, name: str) -> Response:
        """Change order, targets, what nodes do past their signed state, plans. Needs If-Match."""
        row = place_of(slug, name, self.actor)
        data: Any = self.body(EnvironmentChangeSerializer)
        require_match(request, _tag(row))
        if "targets" in data:
            data["targets"] = targets_of(data["targets"], self.actor, row)
        actions.update_environment(row, revision=row.revision, **data, actor=self.actor)
        return _answer(row, self.actor)


class PresetList(PlacetView):
    """Plans to choose from."""

    @extend_schema(operation_id="plans_list", responses=PresetsSerializer)
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the plans that are ready to be chosen, and what the policy has against each."""
        place = place_of(slug, name, self.actor)
        published = visible_rows.policies(place, self.actor).filter(state="published")
        items = presets(published.order_by("-number").first(), place)
        return Response(PresetsSerializer({"items": items}).data)


class FreezeList(ListView):
    """The freezes of an environment."""

    @extend_schema(operation_id="freezes_list", responses=page_of(FreezeSerializer))
    def get(self, request: Request, slug: str, name: str) -> Response:
        """List the freezes of an environment, newest first, lifted ones too."""
        rows = visible_rows.freezes(place_of(slug, name, self.actor), self.actor)
        return self.page(rows, many(FreezeSerializer))

    @extend_schema(
        operation_id="freezes_create",
        request=NewFreezeSerializer,
        responses={201: FreezeSerializer},
    )
    def post(self, request: Request, slug: str, name: str) -> Response:
        """Freeze an environment: nothing new starts in it."""
        place = place_of(slug, name, self.actor)
        data: Any = self.body(NewFreezeSerializer)
        freeze = actions.set_freeze(place, **data, actor=self.actor)
        return Response(FreezeSerializer(freeze).data, status=201)


class FreezeLift(PlacetView):
    """Ending a freeze."""

    @extend_schema(operation_id="freezes_lift", request=None, responses=FreezeSerializer)
    def post(self, request: Request, slug: str, name: str, freeze: str) -> Response:
        """Lift a freeze."""
        row = (
            visible_rows.freezes(place_of(slug, name, self.actor), self.actor)
            .filter(pk=freeze)
            .first()
        )
        if row is None:
            raise NotFound
        lifted: Freeze = actions.lift_freeze(row, actor=self.actor)
        return Response(FreezeSerializer(lifted).data)
