"""Rollback drills of an endpoint, and their schedule."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity.api.matching import match_for
from apps.rollouts import actions, queries
from apps.rollouts.drills import MAX_DAYS
from apps.rollouts.models import Drill, DrillSchedule, DrillState
from apps.serving.queries import get_endpoint
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.clock import rfc3339
from placet.kernel.problems import NotFound


class DrillSerializer(serializers.Serializer[Any]):
    """A rehearsal of a rollback: what came of it, and how long it took."""

    id = serializers.CharField()
    endpoint = serializers.CharField()
    rollout = serializers.CharField(allow_null=True, help_text="null: it was skipped")
    state = serializers.ChoiceField(choices=DrillState.values)
    reason = serializers.CharField(help_text="Why it failed or was skipped")
    planned_for = serializers.DateTimeField(allow_null=True, help_text="null: somebody ran it")
    started_by = serializers.CharField()
    seconds = serializers.FloatField(
        allow_null=True,
        help_text="From the decision until the node said that the live revision gets no request",
    )
    return_seconds = serializers.FloatField(
        allow_null=True, help_text="From the decision to return until it has them all again"
    )
    answers = serializers.IntegerField(
        allow_null=True, help_text="Of the former revision meanwhile"
    )
    failed_requests = serializers.IntegerField(
        allow_null=True,
        help_text="Server errors of both revisions in the node's windows that the drill touches; "
        "null: the counts have gaps, or are not in yet",
    )
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ScheduleTermsSerializer(serializers.Serializer[Any]):
    """When drills come round."""

    every_days = serializers.IntegerField(min_value=1, max_value=MAX_DAYS)
    hour = serializers.IntegerField(min_value=0, max_value=23, help_text="UTC")


class DrillScheduleSerializer(ScheduleTermsSerializer):
    """When the drills of an endpoint come round, and when the next one does."""

    endpoint = serializers.CharField()
    next_at = serializers.DateTimeField()
    set_by = serializers.CharField()


def drill_body(row: Drill) -> dict[str, Any]:
    """Return a drill as JSON values."""
    return {
        "id": row.pk,
        "endpoint": row.endpoint_id,
        "rollout": row.rollout_id,
        "state": row.state,
        "reason": row.reason,
        "planned_for": rfc3339(row.planned_for) if row.planned_for else None,
        "started_by": row.started_by,
        "seconds": row.seconds,
        "return_seconds": row.return_seconds,
        "answers": row.answers,
        "failed_requests": row.failed_requests,
        "created_at": rfc3339(row.created_at),
        "finished_at": rfc3339(row.finished_at) if row.finished_at else None,
    }


class DrillList(ListView):
    """Drills."""

    @extend_schema(operation_id="drills_list", responses=page_of(DrillSerializer))
    def get(self, request: Request, endpoint: str) -> Response:
        """List the rollback drills of an endpoint, newest first, skipped ones too."""
        rows = queries.drills_of(get_endpoint(endpoint, self.actor))
        return self.page(rows, lambda page: [drill_body(row) for row in page])

    @extend_schema(operation_id="drills_run", request=None, responses={202: DrillSerializer})
    def post(self, request: Request, endpoint: str) -> Response:
        """Roll the endpoint back and return, to see that it works and how long it takes.

        409 ``drill_refused`` says why it may not be now.
        """
        drill = actions.run_drill(get_endpoint(endpoint, self.actor), actor=self.actor)
        return Response(drill_body(drill), 202)


class DrillScheduleView(PlacetView):
    """The schedule of the drills of one endpoint."""

    @extend_schema(operation_id="drill_schedules_read", responses=DrillScheduleSerializer)
    def get(self, request: Request, endpoint: str) -> Response:
        """Read when the drills of an endpoint come round."""
        return _answer(self._row(endpoint))

    @extend_schema(
        operation_id="drill_schedules_set",
        request=ScheduleTermsSerializer,
        responses={200: DrillScheduleSerializer, 201: DrillScheduleSerializer},
    )
    def put(self, request: Request, endpoint: str) -> Response:
        """Set when drills come round; If-Match when there is a schedule already."""
        endpoint_row = get_endpoint(endpoint, self.actor)
        data: Any = self.body(ScheduleTermsSerializer)
        before = queries.schedule_of(endpoint_row)
        tag = _tag(before) if before else None
        match_for("drill.schedule", endpoint_row, tag, asked=self, see="endpoint.view")
        row = actions.schedule_drills(
            endpoint_row,
            **data,
            if_generation=before.generation if before else None,
            actor=self.actor,
        )
        return _answer(row, 200 if before else 201)

    @extend_schema(operation_id="drill_schedules_remove", responses={204: None})
    def delete(self, request: Request, endpoint: str) -> Response:
        """Have no more drills run by themselves. Needs If-Match."""
        row = self._row(endpoint)
        match_for("drill.schedule", row.endpoint, _tag(row), asked=self, see="endpoint.view")
        actions.unschedule_drills(row.endpoint, if_generation=row.generation, actor=self.actor)
        return Response(status=204)

    def _row(self, endpoint: str) -> DrillSchedule:
        row = queries.schedule_of(get_endpoint(endpoint, self.actor))
        if row is None:
            raise NotFound("The endpoint has no drills scheduled")
        return row


def _tag(row: DrillSchedule) -> str:
    return etag(row.pk, row.generation)


def _answer(row: DrillSchedule, status: int = 200) -> Response:
    body = {
        "endpoint": row.endpoint_id,
        "every_days": row.every_days,
        "hour": row.hour,
        "next_at": rfc3339(row.next_at),
        "set_by": row.set_by,
    }
    return Response(body, status=status, headers={"ETag": _tag(row)})
