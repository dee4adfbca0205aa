"""Builds with their logs."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.builds import actions, queries
from apps.builds.models import Build
from apps.builds.rules import OPEN, BuildState
from apps.registry.queries import large_of, version_for
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.problems import FieldError, InvalidInput
from placet.kernel.states import choices_of


@extend_schema_field({"type": "object", "additionalProperties": {"type": "number"}})
class SecondsField(serializers.JSONField):
    """Seconds by step."""


class NewBuildSerializer(serializers.Serializer[Any]):
    """How to build; an empty body means all defaults."""

    accelerate = serializers.BooleanField(
        default=False, help_text="try the model's ONNX form, and serve it if its answers are equal"
    )


class SmokeTestSerializer(serializers.Serializer[Any]):
    """What the smoke test of a Bento found: of its example's rows, how many were predicted as the
    version expects."""

    result = serializers.CharField(help_text="`equal`, `starts`, `different` or `failed`")
    rows = serializers.IntegerField()
    equal = serializers.IntegerField()
    detail = serializers.CharField(help_text="What differs, in words")


class BuildSerializer(serializers.Serializer[Any]):
    """A version being turned into a Bento."""

    id = serializers.CharField()
    version = serializers.CharField(source="version_id")
    name = serializers.CharField(source="version.__str__", help_text="model:number")
    state = serializers.ChoiceField(choices=choices_of(BuildState))
    step = serializers.CharField()
    isolation = serializers.CharField()
    error = serializers.CharField()
    bento_digest = serializers.CharField()
    requested_by = serializers.CharField()
    job = serializers.CharField()
    timings = SecondsField()
    accelerate = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    smoke_test = serializers.SerializerMethodField(
        help_text="The newest of its Bento; null where it has none. `different` fails no build"
    )

    @extend_schema_field(SmokeTestSerializer(allow_null=True))
    def get_smoke_test(self, build: Build) -> Mapping[str, Any] | None:
        """Return the smoke test, as a query for builds reads it; one that is open has none yet."""
        data = getattr(build, "smoke_test", None)
        return data and SmokeTestSerializer({"detail": "", **data}).data


class LineSerializer(serializers.Serializer[Any]):
    """One line of a build's log."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    step = serializers.CharField()
    text = serializers.CharField()


class LogSerializer(serializers.Serializer[Any]):
    """Part of a build's log; ask again with ``after`` until ``ended`` and no lines are left."""

    lines = LineSerializer(many=True)
    after = serializers.IntegerField(help_text="the number of the last line here")
    state = serializers.ChoiceField(choices=choices_of(BuildState))
    step = serializers.CharField()
    ended = serializers.BooleanField()


def build_answer(build: Build, status: int = 200) -> Response:
    """Answer with one build."""
    headers = {"ETag": etag(build.pk, build.generation, build.step)}
    if status == 202:
        headers["Location"] = f"/api/v1/builds/{build.pk}"
    return Response(BuildSerializer(build).data, status=status, headers=headers)


class VersionBuilds(ListView):
    """The builds of a version."""

    @extend_schema(operation_id="builds_list", responses=page_of(BuildSerializer))
    def get(self, request: Request, slug: str, name: str, number: int) -> Response:
        """List the builds of a version, newest first."""
        version = version_for(slug, name, number, self.actor)
        rows = queries.builds(self.actor, version).defer(*large_of("version"))
        return self.page(rows, many(BuildSerializer))

    @extend_schema(
        operation_id="builds_create",
        request=NewBuildSerializer,
        responses={202: BuildSerializer},
    )
    def post(self, request: Request, slug: str, name: str, number: int) -> Response:
        """Have the version built. While a build of it is open, that one is the answer."""
        version = version_for(slug, name, number, self.actor)
        data: Any = self.body(NewBuildSerializer)
        return build_answer(actions.request_build(version, **data, actor=self.actor), 202)


class BuildDetail(PlacetView):
    """One build."""

    @extend_schema(operation_id="builds_read", responses=BuildSerializer)
    def get(self, request: Request, build: str) -> Response:
        """Read a build."""
        return build_answer(queries.build_for(build, self.actor))


class BuildLog(PlacetView):
    """The log of a build, as it grows."""

    query_params = ("after",)

    @extend_schema(
        operation_id="builds_log",
        parameters=[OpenApiParameter("after", int, description="the last number you have")],
        responses=LogSerializer,
    )
    def get(self, request: Request, build: str) -> Response:
        """Read the lines after a number, at most 1,000 at once."""
        row = queries.build_for(build, self.actor)
        after = self._after()
        lines = queries.lines_after(row, after)
        answer = {
            "lines": LineSerializer(lines, many=True).data,
            "after": lines[-1].number if lines else after,
            "state": row.state,
            "step": row.step,
            "ended": row.state not in OPEN,
        }
        return Response(answer)

    def _after(self) -> int:
        text = self.request.query_params.get("after", "0")
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise InvalidInput(errors=[FieldError("after", "A whole number from 0 on")])
        return int(text)


class BuildCancel(PlacetView):
    """Stopping a build."""

    @extend_schema(operation_id="builds_cancel", request=None, responses={202: BuildSerializer})
    def post(self, request: Request, build: str) -> Response:
        """Stop a build: at once when it waits, else as soon as its worker looks."""
        row = queries.build_for(build, self.actor)
        return build_answer(actions.cancel_build(row, actor=self.actor), 202)
