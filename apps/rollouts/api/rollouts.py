"""Rollouts: starting, watching, aborting, rolling back."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.governance.plan import written
from apps.governance.queries import visible_rows
from apps.identity.queries import people_names
from apps.rollouts import actions, queries
from apps.rollouts.models import Rollout
from apps.rollouts.pauses import paused
from apps.rollouts.states import RolloutKind, RolloutState
from apps.serving.queries import get_endpoint, visible_endpoints
from placet.kernel.api.lists import ListView, page_of
from placet.kernel.api.views import PlacetView, etag
from placet.kernel.clock import rfc3339
from placet.kernel.filters import refuse_unknown
from placet.kernel.states import values_of

F = TypeVar("F", bound=Callable[..., Response])


class RolloutSerializer(serializers.Serializer[Any]):
    """An endpoint on its way from one revision to the next."""

    id = serializers.CharField()
    project = serializers.CharField()
    environment = serializers.CharField()
    endpoint = serializers.CharField()
    endpoint_name = serializers.CharField()
    release = serializers.CharField()
    kind = serializers.ChoiceField(choices=values_of(RolloutKind))
    state = serializers.ChoiceField(choices=values_of(RolloutState))
    reason = serializers.CharField()
    from_revision = serializers.CharField(allow_null=True)
    to_revision = serializers.CharField()
    weights = serializers.DictField(
        child=serializers.IntegerField(), help_text="Wanted, out of 10,000, by revision id"
    )
    steps = serializers.ListField(
        child=serializers.DictField(), help_text="What it carries out, in the plan's own words"
    )
    guard = serializers.DictField(
        help_text="When its node gives all requests back by itself, in the plan's own words"
    )
    step = serializers.IntegerField(
        allow_null=True, help_text="The place of the present step among them, from 0"
    )
    step_times = serializers.DictField(
        child=serializers.CharField(), help_text="When each step began, by its place from 0"
    )
    paused = serializers.BooleanField(help_text="Somebody holds it: no step begins")
    waits = serializers.CharField(
        help_text="Who or what has paused it, in words; '' where it goes on by itself"
    )
    promoted = serializers.BooleanField(help_text="Somebody sent it to the end")
    asked = serializers.BooleanField(
        help_text="A second person is asked to confirm a skip or a promotion: see passing"
    )
    phase_times = serializers.DictField(
        child=serializers.CharField(),
        help_text="When it came into each state; `paused`: when somebody paused it last",
    )
    deadline = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class StepSerializer(serializers.Serializer[Any]):
    """Why, and which step was shown."""

    reason = serializers.CharField(max_length=2000)
    step = serializers.IntegerField(
        min_value=-1,
        help_text="The step that was shown, from 0 (null: -1); another by now is 409 step_moved",
    )


class WhySerializer(serializers.Serializer[Any]):
    """Why; not optional."""

    reason = serializers.CharField(max_length=2000)


class RollbackSerializer(serializers.Serializer[Any]):
    """Why, and where to."""

    reason = serializers.CharField(max_length=2000)
    revision = serializers.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text="The number of a former revision, of the last five; left out: the one before",
    )


def bodies(rollouts: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rollouts as JSON values."""
    names = people_names(row.paused_by for row in rollouts)
    return [_body(row, names.get(row.paused_by, "")) for row in rollouts]


def _body(rollout: Any, pauser: str) -> dict[str, Any]:
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
        "waits": paused(rollout, pauser),
        "promoted": bool(rollout.promoted_by),
        "asked": rollout.is_asked,
        "phase_times": rollout.phase_times,
        "deadline": rfc3339(rollout.deadline),
        "created_at": rfc3339(rollout.created_at),
        "finished_at": rfc3339(rollout.finished_at) if rollout.finished_at else None,
    }


def answer(rollout: Any, status: int = 200) -> Response:
    """Answer with one rollout."""
    headers = {"ETag": etag(rollout.pk, rollout.generation)}
    if status == 202:
        headers["Location"] = f"/api/v1/rollouts/{rollout.pk}"
    return Response(bodies([rollout])[0], status=status, headers=headers)


class RolloutList(ListView):
    """Rollouts."""

    filters = ("endpoint", "release", "state")

    @extend_schema(operation_id="rollouts_list", responses=page_of(RolloutSerializer))
    def get(self, request: Request) -> Response:
        """List rollouts, newest first; ``endpoint``, ``release`` and ``state`` narrow them."""
        seen = {
            "endpoint": visible_endpoints(self.actor, deleted=True),
            "release": visible_rows.releases(self.actor),
        }
        words = {"state": values_of(RolloutState)}
        refuse_unknown(request.query_params, words=words, ids=seen)
        return self.page(self.narrowed(queries.visible_rollouts(self.actor)), bodies)


class RolloutDetail(PlacetView):
    """One rollout."""

    @extend_schema(operation_id="rollouts_read", responses=RolloutSerializer)
    def get(self, request: Request, rollout: str) -> Response:
        """Read a rollout."""
        return answer(queries.get_rollout(rollout, self.actor))


class Control(PlacetView):
    """What somebody does to a rollout: an action of that name takes it and what the body says."""

    def control(
        self, rollout: str, act: Callable[..., Rollout], asked: type[serializers.Serializer[Any]]
    ) -> Response:
        """Do it, and answer with the rollout that it moves: a retry has a new one."""
        row = queries.get_rollout(rollout, self.actor)
        moved = act(row, **self.body(asked), actor=self.actor)
        return answer(queries.get_rollout(moved.pk, self.actor), 202)


def described(name: str, asked: type[serializers.Serializer[Any]]) -> Callable[[F], F]:
    """Describe the ``post`` of a control."""
    return extend_schema(
        operation_id=f"rollouts_{name}", request=asked, responses={202: RolloutSerializer}
    )


class RolloutAbort(Control):
    """Aborting."""

    @described("abort", WhySerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Send everything back to the old revision and end the rollout."""
        return self.control(rollout, actions.abort, WhySerializer)


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
        """Begin the step after the present one now.

        Which analysis it goes past is read at ``passing``. Where the policy asks for a second
        person nothing happens before they confirm it."""
        return self.control(rollout, actions.skip, StepSerializer)


class RolloutPromote(Control):
    """Going to the end."""

    @described("promote", StepSerializer)
    def post(self, request: Request, rollout: str) -> Response:
        """Send all requests to the new revision, past every step; repeating it changes nothing.

        Which analyses it goes past is read at ``passing``. Where the policy asks for a second
        person nothing happens before they confirm it."""
        return self.control(rollout, actions.promote, StepSerializer)


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
        row = get_endpoint(endpoint, self.actor)
        data: Any = self.body(RollbackSerializer)
        rollout = actions.rollback(
            row, reason=data["reason"], number=data.get("revision"), actor=self.actor
        )
        return answer(queries.get_rollout(rollout.pk, self.actor), 202)
