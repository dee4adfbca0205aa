"""Rollouts: starting, watching, aborting, rolling back."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from apps.governance.plan import written
from apps.governance.queries import visible_rows
from apps.monitoring.rules import Counts
from apps.rollouts import actions, queries
from apps.rollouts.api.serializers import (
    LookSerializer,
    ReasonSerializer,
    RollbackSerializer,
    RolloutSerializer,
    SeriesSerializer,
    StepSerializer,
    WhySerializer,
)
from apps.rollouts.models import Look, Rollout
from apps.rollouts.series import Series, series_of
from apps.serving.queries import get_endpoint
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.clock import rfc3339
from placet.kernel.problems import FieldError, InvalidInput

F = TypeVar("F", bound=Callable[..., Response])


def body(rollout: Rollout) -> dict[str, Any]:
    """Return a rollout as JSON values."""
    present = [r for r in (rollout.from_revision, rollout.to_revision) if r is not None]
    return {
        "id": rollout.pk,
        "project": rollout.project.slug,
        "environment": rollout.endpoint.environment,
        "endpoint": rollout.endpoint_id,
        "endpoint_name": rollout.endpoint.name,
        "release": rollout.release_id,
        "kind": rollout.kind,
        "state": rollout.state,
        "reason": rollout.reason,
        "from_revision": rollout.from_revision_id,
        "to_revision": rollout.to_revision_id,
        "weights": {revision.pk: revision.weight for revision in present},
        "steps": [written(step) for step in rollout.steps],
        "guard": rollout.guard,
        "step": rollout.step if rollout.step >= 0 else None,
        "step_times": rollout.step_times,
        "paused": bool(rollout.paused_by),
        "promoted": bool(rollout.promoted_by),
        "phase_times": rollout.phase_times,
        "deadline": rfc3339(rollout.deadline),
        "created_at": rfc3339(rollout.created_at),
        "finished_at": rfc3339(rollout.finished_at) if rollout.finished_at else None,
    }


def answer(rollout: Rollout, status: int = 200) -> Response:
    """Answer with one rollout."""
    headers = {"ETag": etag(rollout.pk, rollout.generation)}
    if status == 202:
        headers["Location"] = f"/api/v1/rollouts/{rollout.pk}"
    return Response(body(rollout), status=status, headers=headers)


class RolloutList(ListView):
    """Rollouts."""

    filters = ("endpoint", "release", "state")

    @extend_schema(operation_id="rollouts_list", responses=page_of(RolloutSerializer))
    def get(self, request: Request) -> Response:
        """List rollouts, newest first; ``endpoint``, ``release`` and ``state`` narrow them."""
        rows = self.narrowed(queries.visible_rollouts(self.actor))
        return self.page(rows, lambda found: [body(row) for row in found])


class RolloutDetail(PlacetView):
    """One rollout."""

    @extend_schema(operation_id="rollouts_read", responses=RolloutSerializer)
    def get(self, request: Request, rollout: str) -> Response:
        """Read a rollout."""
        return answer(queries.get_rollout(rollout, self.actor))


class RolloutLooks(ListView):
    """What the analyses of a rollout said."""

    filters = ("step",)

    @extend_schema(operation_id="rollouts_looks", responses=page_of(LookSerializer))
    def get(self, request: Request, rollout: str) -> Response:
        """List the looks at both revisions, newest first; ``step`` narrows them to one analysis."""
        rows = queries.looks(queries.get_rollout(rollout, self.actor))
        if (step := request.query_params.get("step")) is not None:
            rows = rows.filter(step=step_of(step))
        return self.page(rows, lambda found: [look_body(row) for row in found])


def step_of(text: str) -> int:
    """Read the place of a step."""
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise InvalidInput(errors=[FieldError("step", "The place of a step, from 0")])
    return int(text)


def look_body(row: Look) -> dict[str, Any]:
    """Return a look as JSON values."""
    return {"step": row.step, "at": rfc3339(row.at), "readings": [], **row.verdict}


class RolloutSeries(PlacetView):
    """A rollout over time."""

    @extend_schema(operation_id="rollouts_series", responses=SeriesSerializer)
    def get(self, request: Request, rollout: str) -> Response:
        """Read the planned and the measured weight, errors and latency of both revisions over time.

        Windows of a node are added up to at most 240 stretches, however long it goes on.
        """
        return Response(series_body(series_of(queries.get_rollout(rollout, self.actor))))


def series_body(found: Series) -> dict[str, Any]:
    """Return a rollout over time as JSON values."""
    return {
        "since": rfc3339(found.since),
        "until": rfc3339(found.until),
        "seconds": found.seconds,
        "growing": found.growing,
        "planned": [{"at": rfc3339(row.at), "weight": row.weight} for row in found.planned],
        "points": [
            {
                "at": rfc3339(point.at),
                "share": point.share,
                "new": measured_body(point.new),
                "old": measured_body(point.old),
                "copies": measured_body(point.copies),
            }
            for point in found.points
        ],
    }


def measured_body(counts: Counts | None) -> dict[str, Any] | None:
    """Return what a revision answered in a stretch as JSON values."""
    if counts is None:
        return None
    return {
        "requests": counts.requests,
        "per_second": counts.requests / counts.seconds if counts.seconds else None,
        "error_rate": counts.error_rate,
        "p50_ms": counts.percentile(0.50),
        "p95_ms": counts.percentile(0.95),
        "p99_ms": counts.percentile(0.99),
    }


class Control(PlacetView):
    """What somebody does to a rollout: an action of that name takes it and what the body says."""

    def control(
        self, rollout: str, act: Callable[..., Rollout], asked: type[Serializer[Any]]
    ) -> Response:
        """Do it, and answer with the rollout that it moves: a retry has a new one."""
        found = queries.get_rollout(rollout, self.actor)
        moved = act(found, **self.body(asked), actor=self.actor)
        return answer(queries.get_rollout(moved.pk, self.actor), 202)


def described(name: str, asked: type[Serializer[Any]]) -> Callable[[F], F]:
    """Describe the ``post`` of a control."""
    return extend_schema(
        operation_id=f"rollouts_{name}", request=asked, responses={202: RolloutSerializer}
    )


class RolloutAbort(Control):
    """Aborting."""

    @described("abort", ReasonSerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Send everything back to the old revision and end the rollout."""
        return self.control(rollout, actions.abort, ReasonSerializer)


class RolloutPause(Control):
    """Holding."""

    @described("pause", WhySerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Begin no further step until somebody resumes it; repeating it changes nothing."""
        return self.control(rollout, actions.pause, WhySerializer)


class RolloutResume(Control):
    """Going on."""

    @described("resume", StepSerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Go on after a pause, or past a step of the plan that waits for a person."""
        return self.control(rollout, actions.resume, StepSerializer)


class RolloutSkip(Control):
    """Skipping."""

    @described("skip", StepSerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Begin the step after the present one now."""
        return self.control(rollout, actions.skip, StepSerializer)


class RolloutPromote(Control):
    """Going to the end."""

    @described("promote", WhySerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Send all requests to the new revision, past every step; repeating it changes nothing."""
        return self.control(rollout, actions.promote, WhySerializer)


class RolloutShip(Control):
    """Shipping."""

    @described("ship", StepSerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Approve that what an A/B test has shown gets all requests; by a person in a session."""
        return self.control(rollout, actions.ship, StepSerializer)


class RolloutRetry(Control):
    """Trying again."""

    @described("retry", WhySerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Roll out again what failed or was aborted, on the approval that it has."""
        return self.control(rollout, actions.retry, WhySerializer)


class ReleaseRollout(PlacetView):
    """Starting."""

    @extend_schema(
        operation_id="releases_rollout", request=None, responses={202: RolloutSerializer}
    )
    def post(self, request: Request, release: str) -> Response:
        """Start to roll out an approved release."""
        rollout = actions.start_rollout(visible_rows.release(release, self.actor), actor=self.actor)
        return answer(queries.get_rollout(rollout.pk, self.actor), 202)


class EndpointRollback(PlacetView):
    """Going back."""

    @extend_schema(
        operation_id="endpoints_rollback",
        request=RollbackSerializer,
        responses={202: RolloutSerializer},
    )
    def post(self, request: Request, endpoint: str) -> Response:
        """Go back to the revision that was live before, or to one of those before that; no new
        approval is needed, and no analysis.

        While a release goes out this aborts its rollout: what was live serves still.
        """
        found = get_endpoint(endpoint, self.actor)
        data: Any = self.body(RollbackSerializer)
        rollout = actions.rollback(
            found, reason=data["reason"], number=data.get("revision"), actor=self.actor
        )
        return answer(queries.get_rollout(rollout.pk, self.actor), 202)
