"""Environments."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance import actions
from apps.governance.models import Environment
from apps.governance.queries import visible_rows
from apps.governance.queries.promotions import promote_document
from apps.identity.api.matching import match_for
from apps.identity.queries import project_by_slug
from apps.serving.models import Target
from apps.serving.queries import visible_targets
from placet.kernel.actor import Actor
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.problems import FieldError, InvalidInput


class EnvironmentSerializer(serializers.Serializer[Any]):
    """A place to serve in, with its targets and its policy in force (``null``: nothing passes)."""

    id = serializers.CharField()
    project = serializers.CharField(source="project.slug")
    name = serializers.CharField()
    position = serializers.IntegerField()
    targets = serializers.SerializerMethodField()
    on_state_expired = serializers.CharField(help_text="serve or stop")
    on_recall = serializers.CharField(help_text="fall_back or stop, when what is live is recalled")
    plans = serializers.DictField(
        child=serializers.DictField(), help_text="Its own plans, ready to be chosen by their names"
    )
    promote = serializers.SerializerMethodField()
    review_days = serializers.IntegerField(
        allow_null=True,
        help_text="Within how many days who is asked by name to review is to answer, unless they "
        "who ask say otherwise; null for no due date",
    )
    policy = serializers.SerializerMethodField()
    revision = serializers.IntegerField()
    created_at = serializers.DateTimeField()

    def get_targets(self, row: Any) -> list[str]:
        """Names of the targets, in order."""
        return sorted(t.name for t in row.targets.all())

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_promote(self, row: Any) -> Mapping[str, Any]:
        """Where a request opens by itself, after what, and with which plan; empty for nowhere."""
        return promote_document(row)

    def get_policy(self, row: Any) -> int | None:
        """Number of the policy in force."""
        return row.published[0].number if row.published else None


def targets_field() -> serializers.ListField:
    """Return the field that names targets."""
    says: Any = {"not_a_list": 'must be a list of names: ["local"]'}
    return serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, error_messages=says
    )


class NewEnvironmentSerializer(serializers.Serializer[Any]):
    """An environment to be added."""

    name = serializers.CharField(max_length=40)
    position = serializers.IntegerField(min_value=-1000, max_value=1000, required=False)
    targets = targets_field()


class EnvironmentChangeSerializer(serializers.Serializer[Any]):
    """What may change about an environment."""

    position = serializers.IntegerField(min_value=-1000, max_value=1000, required=False)
    targets = targets_field()
    on_state_expired = serializers.CharField(required=False, help_text="serve or stop")
    on_recall = serializers.CharField(required=False, help_text="fall_back or stop")
    plans = serializers.DictField(
        child=serializers.DictField(), required=False, help_text="All of its own plans, by name"
    )
    promote = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text='{"after": "soaked", "to": an environment that follows, "plan": one of there}: a '
        "request opens by itself; {} for none",
    )
    review_days = serializers.IntegerField(
        required=False, allow_null=True, help_text="1 to 90; 0 or null for no due date"
    )


def environment_of(slug: str, name: str, actor: Actor) -> Environment:
    """Return the environment that a path names."""
    return visible_rows.environment(project_by_slug(slug, actor), name, actor)


def targets_of(
    names: list[str], actor: Actor, environment: Environment | None = None, *, at: str = "/targets"
) -> list[Target]:
    """Return targets by name, or say which is not there: one that ``actor`` may not see is none.

    Those that ``environment`` is on already may be named again. Whether the others may be used the
    actions ask.
    """
    by_name = {t.name: t for t in visible_targets(actor).filter(name__in=names)}
    if environment is not None:
        by_name |= {t.name: t for t in environment.targets.all() if t.name in names}
    missing = [n for n in names if n not in by_name]
    if missing:
        errors = [FieldError(at, f"There is no target {n}") for n in missing]
        raise InvalidInput(errors=errors)
    return list(by_name.values())


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
        return _answer(environment_of(slug, name, self.actor), self.actor)

    @extend_schema(
        operation_id="environments_update",
        request=EnvironmentChangeSerializer,
        responses=EnvironmentSerializer,
    )
    def patch(self, request: Request, slug: str, name: str) -> Response:
        """Change order, targets, what nodes do past their signed state, plans, where requests open
        by themselves, and within how many days reviewers answer. Needs If-Match."""
        row = environment_of(slug, name, self.actor)
        data: Any = self.body(EnvironmentChangeSerializer)
        match_for("environment.manage", row, _tag(row), asked=self)
        if "targets" in data:
            data["targets"] = targets_of(data["targets"], self.actor, row)
        if "review_days" in data:
            data["review_days"] = data["review_days"] or 0
        actions.update_environment(row, revision=row.revision, **data, actor=self.actor)
        return _answer(row, self.actor)
