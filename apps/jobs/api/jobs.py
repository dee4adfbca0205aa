"""Jobs over REST: look, and cancel. Arguments and results are left out."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.jobs.actions import cancel
from apps.jobs.models import JobState
from apps.jobs.queries import job_visible, jobs_visible
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView
from placet.kernel.problems import FieldError, InvalidInput


class JobSerializer(serializers.Serializer[Any]):
    """Work in the background."""

    id = serializers.CharField()
    kind = serializers.CharField()
    queue = serializers.CharField()
    state = serializers.ChoiceField(choices=JobState.choices)
    project = serializers.CharField(allow_null=True)
    attempts = serializers.IntegerField()
    error = serializers.CharField()
    cancel_requested = serializers.BooleanField()
    due_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


STATE = OpenApiParameter("state", OpenApiTypes.STR, enum=JobState.values)
KIND = OpenApiParameter("kind", OpenApiTypes.STR, description="e.g. builds.run")


class JobList(ListView):
    """Work that waits, runs or has ended."""

    filters = ("state", "kind")

    @extend_schema(
        operation_id="jobs_list",
        parameters=[STATE, KIND],
        responses=page_of(JobSerializer, "A page of jobs."),
    )
    def get(self, request: Request) -> Response:
        """List the jobs you may see, the newest first."""
        jobs = jobs_visible(self.actor)
        if (state := request.query_params.get("state")) is not None:
            if state not in JobState.values:
                raise InvalidInput(errors=[FieldError("state", "There is no such state")])
            jobs = jobs.filter(state=state)
        if (kind := request.query_params.get("kind")) is not None:
            jobs = jobs.filter(kind=kind)
        return self.page(jobs, many(JobSerializer))


class JobDetail(PlacetView):
    """One job."""

    @extend_schema(operation_id="jobs_read", responses=JobSerializer)
    def get(self, request: Request, job: str) -> Response:
        """Read a job."""
        return Response(JobSerializer(job_visible(job, self.actor)).data)


class JobCancel(PlacetView):
    """Stopping a job."""

    @extend_schema(operation_id="jobs_cancel", request=None, responses={202: JobSerializer})
    def post(self, request: Request, job: str) -> Response:
        """Cancel a waiting job, or ask a running one to stop."""
        return Response(JobSerializer(cancel(job, actor=self.actor)).data, status=202)
