"""Endpoints and what operators do with them."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.identity.queries import project_by_slug
from apps.serving import actions, hooks, queries
from apps.serving.api.fields import NAME, isolation_field
from apps.serving.api.revisions import RevisionSerializer, revision_body
from apps.serving.models import Endpoint
from apps.serving.prediction import predict
from apps.serving.queries import EndpointStatus
from apps.serving.rules import HEALTH, ISOLATION, EndpointState
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.clock import rfc3339
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet.kernel.states import values_of


class EndpointSerializer(serializers.Serializer[Any]):
    """The stable name and address that clients call, and what is present behind it."""

    id = serializers.CharField()
    project = serializers.CharField()
    environment = serializers.CharField()
    name = serializers.CharField()
    target = serializers.CharField()
    url = serializers.CharField(help_text="What clients call; empty while the target has none")
    no_address = serializers.CharField(help_text="Why there is no url, or ''")
    state = serializers.ChoiceField(choices=values_of(EndpointState))
    health = serializers.ChoiceField(
        choices=HEALTH,
        help_text="`degraded` while replicas are missing, an objective is not met or another alert "
        "than that it is not measured is open; `starting` while no replica answers and its node "
        "was told to start some moments ago; `down` while none answers or nobody can reach them; "
        "`unknown` while its node is silent",
    )
    troubles = serializers.ListField(
        child=serializers.CharField(), help_text="What is wrong or not known, a sentence each"
    )
    replicas_ready = serializers.CharField(
        help_text="How many replicas of what is live answer, in words; '' for none"
    )
    isolation = isolation_field(help_text="The weakest of what runs here")
    api_key_required = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    live_revision = serializers.CharField(allow_null=True)
    revisions = RevisionSerializer(many=True)


class NewEndpointSerializer(serializers.Serializer[Any]):
    """An endpoint to be made."""

    name = serializers.RegexField(NAME, max_length=60)
    target = serializers.CharField(max_length=60, help_text="The target's name")
    api_key_required = serializers.BooleanField(
        allow_null=True,
        default=None,
        help_text="Left out: as the deleted endpoint that had the name last, else false",
    )


class ScaleSerializer(serializers.Serializer[Any]):
    """How many replicas."""

    replicas = serializers.IntegerField(min_value=1, max_value=64)


class StopSerializer(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=2000, allow_blank=True, default="")


class StartSerializer(StopSerializer):
    """Why."""


class PredictSerializer(serializers.Serializer[Any]):
    """What an endpoint answered to a trial call."""

    status = serializers.IntegerField()
    seconds = serializers.FloatField()
    revision = serializers.CharField()
    release = serializers.CharField()
    model = serializers.CharField()
    body = serializers.JSONField()


def endpoint_tag(endpoint: Endpoint) -> str:
    """Return the ETag of an endpoint."""
    return etag(endpoint.pk, endpoint.generation)


def endpoint_body(row: EndpointStatus) -> dict[str, Any]:
    """Return an endpoint and what is present behind it."""
    endpoint, live = row.endpoint, row.live
    return {
        "id": endpoint.pk,
        "project": endpoint.project.slug,
        "environment": endpoint.environment,
        "name": endpoint.name,
        "target": endpoint.target.name,
        "url": row.url,
        "no_address": row.no_address,
        "state": endpoint.state,
        "health": row.health,
        "troubles": [str(trouble) for trouble in row.troubles],
        "replicas_ready": live.ready if live else "",
        "isolation": row.isolation,
        "api_key_required": endpoint.api_key_required,
        "created_at": rfc3339(endpoint.created_at),
        "live_revision": live.revision.pk if live else None,
        "revisions": [revision_body(revision, endpoint) for revision in row.revisions],
    }


def answer(endpoint: Endpoint, status: int = 200) -> Response:
    """Answer with one endpoint."""
    body = endpoint_body(queries.status(endpoint))
    headers = {"ETag": endpoint_tag(endpoint)}
    if status == 201:
        headers["Location"] = f"/api/v1/endpoints/{endpoint.pk}"
    return Response(body, status=status, headers=headers)


class EndpointList(ListView):
    """The endpoints of one environment."""

    filters = ("isolation",)

    @extend_schema(
        operation_id="endpoints_list",
        parameters=[OpenApiParameter("isolation", enum=list(ISOLATION))],
        responses=page_of(EndpointSerializer),
    )
    def get(self, request: Request, slug: str, environment: str) -> Response:
        """List the endpoints of an environment, and what serves behind each."""
        project = project_by_slug(slug, self.actor)
        if not any(hooks.has_environment(project.pk, environment)):
            raise NotFound
        rows = queries.visible_endpoints(self.actor).filter(
            project=project, environment=environment
        )
        if (word := request.query_params.get("isolation")) is not None:
            if word not in ISOLATION:
                detail = f"One of {', '.join(ISOLATION)}"
                raise InvalidInput(errors=[FieldError("isolation", detail)])
            rows = queries.isolated(rows, word)
        return self.page(rows, _bodies)

    @extend_schema(
        operation_id="endpoints_create",
        request=NewEndpointSerializer,
        responses={201: EndpointSerializer},
    )
    def post(self, request: Request, slug: str, environment: str) -> Response:
        """Make an endpoint. It serves nothing until a release is rolled out to it."""
        project = project_by_slug(slug, self.actor)
        data: Any = self.body(NewEndpointSerializer)
        target = queries.get_target(data.pop("target"), self.actor)
        endpoint = actions.create_endpoint(
            project, environment=environment, target=target, actor=self.actor, **data
        )
        return answer(endpoint, 201)


def _bodies(rows: Any) -> list[dict[str, Any]]:
    return [endpoint_body(status) for status in queries.statuses_of(rows)]


class EndpointByName(PlacetView):
    """One endpoint, by its stable name."""

    @extend_schema(operation_id="endpoints_read_by_name", responses=EndpointSerializer)
    def get(self, request: Request, slug: str, environment: str, name: str) -> Response:
        """Read an endpoint."""
        project = project_by_slug(slug, self.actor)
        rows = queries.visible_endpoints(self.actor)
        endpoint = rows.filter(project=project, environment=environment, name=name).first()
        if endpoint is None:
            raise NotFound
        return answer(endpoint)


class EndpointDetail(PlacetView):
    """One endpoint."""

    @extend_schema(operation_id="endpoints_read", responses=EndpointSerializer)
    def get(self, request: Request, endpoint: str) -> Response:
        """Read an endpoint and what is present behind it."""
        return answer(queries.get_endpoint(endpoint, self.actor))

    @extend_schema(operation_id="endpoints_delete", responses={204: None})
    def delete(self, request: Request, endpoint: str) -> Response:
        """End an endpoint that nothing needs any more: it is stopped or serves nothing, and no
        release is on its way there. Its name is free again; its history stays. Needs If-Match."""
        row = queries.get_endpoint(endpoint, self.actor)
        match_for("endpoint.manage", row, endpoint_tag(row), asked=self, see="endpoint.view")
        actions.delete_endpoint(row, if_generation=row.generation, actor=self.actor)
        return Response(status=204)


class EndpointStop(PlacetView):
    """Stopping."""

    @extend_schema(
        operation_id="endpoints_stop", request=StopSerializer, responses=EndpointSerializer
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Stop everything behind the endpoint; clients get 503. The reason is shown to who sees the
        endpoint, and kept in the log."""
        row = queries.get_endpoint(endpoint, self.actor)
        data: Any = self.body(StopSerializer)
        return answer(actions.stop_endpoint(row, reason=data["reason"], actor=self.actor))


class EndpointStart(PlacetView):
    """Starting."""

    @extend_schema(
        operation_id="endpoints_start", request=StartSerializer, responses=EndpointSerializer
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Let what was live serve again. The reason is shown to who sees the endpoint, and kept in
        the log."""
        row = queries.get_endpoint(endpoint, self.actor)
        data: Any = self.body(StartSerializer)
        return answer(actions.start_endpoint(row, reason=data["reason"], actor=self.actor))


class EndpointRestart(PlacetView):
    """Restarting."""

    @extend_schema(operation_id="endpoints_restart", request=None, responses=EndpointSerializer)
    def post(self, request: Request, endpoint: str) -> Response:
        """Replace the replicas of the live revision."""
        row = queries.get_endpoint(endpoint, self.actor)
        return answer(actions.restart_endpoint(row, actor=self.actor))


class EndpointScale(PlacetView):
    """Scaling."""

    @extend_schema(
        operation_id="endpoints_scale", request=ScaleSerializer, responses=EndpointSerializer
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Set the replicas of the live revision, up to what its release was approved for."""
        row = queries.get_endpoint(endpoint, self.actor)
        data: Any = self.body(ScaleSerializer)
        actions.scale_endpoint(row, replicas=data["replicas"], actor=self.actor)
        return answer(row)


class EndpointPredict(PlacetView):
    """Trying an endpoint."""

    @extend_schema(
        operation_id="endpoints_predict",
        request={"application/json": {"type": "object"}},
        parameters=[OpenApiParameter("X-API-Key", str, OpenApiParameter.HEADER)],
        responses=PredictSerializer,
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Send the body to the endpoint's ``/predict`` and return what it answers."""
        row = queries.get_endpoint(endpoint, self.actor)
        if not isinstance(request.data, dict):
            raise InvalidInput("Must be an object, as the endpoint's /predict takes it")
        key = request.headers.get("X-API-Key", "")
        answered = predict(row, request.data, api_key=key, actor=self.actor)
        return Response(PredictSerializer(answered).data)
