"""How long releases of a project take, who is waited for, and how often they go wrong."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.assurance.figures import Ends, Stages
from apps.assurance.queries.figures import DAYS, USUAL, Figures, days_of, figures
from apps.identity.queries import project_by_slug
from placet.kernel.api.views import PlacetView


class TakenSerializer(serializers.Serializer[Any]):
    """What lasted so many times, and how long in seconds; ``null`` of nothing."""

    count = serializers.IntegerField()
    median = serializers.FloatField(allow_null=True)
    p90 = serializers.FloatField(allow_null=True, help_text="Nine in ten took at most this")


class StagesSerializer(serializers.Serializer[Any]):
    """How long each part of the way took the releases that went live."""

    lead = TakenSerializer(help_text="From registered to live, of versions that were new there")
    people = TakenSerializer(help_text="From requested to the last decision that counted")
    gates = TakenSerializer(help_text="From there to approved")
    start = TakenSerializer(help_text="From approved to the first rollout")
    rollout = TakenSerializer(help_text="From there to live")
    whole = TakenSerializer(help_text="From requested to live")


class EndsSerializer(serializers.Serializer[Any]):
    """How rollouts of releases ended."""

    ended = serializers.IntegerField()
    live = serializers.IntegerField()
    failed = serializers.IntegerField()
    aborted = serializers.IntegerField()
    taken_back = serializers.IntegerField(help_text="Of those live: by a rollback or a recall")
    failure_rate = serializers.FloatField(
        allow_null=True, help_text="Share of the ended that went wrong, before it was live or after"
    )
    taken_back_rate = serializers.FloatField(
        allow_null=True, help_text="Share of what went live that was taken back"
    )


class PlaceFiguresSerializer(serializers.Serializer[Any]):
    """A model in an environment."""

    model = serializers.CharField()
    environment = serializers.CharField()
    stages = StagesSerializer()
    ends = EndsSerializer()


class PersonFiguresSerializer(serializers.Serializer[Any]):
    """How long releases waited for somebody's first decision in a role, since the request."""

    person = serializers.CharField()
    name = serializers.CharField()
    role = serializers.CharField()
    waited = TakenSerializer()


class GateFiguresSerializer(serializers.Serializer[Any]):
    """A gate at which releases wait now."""

    title = serializers.CharField()
    waiting = serializers.IntegerField()
    since = serializers.DateTimeField(help_text="When the oldest of them was asked for")


class TeamFiguresSerializer(serializers.Serializer[Any]):
    """What the people of a team asked for."""

    team = serializers.CharField()
    stages = StagesSerializer()
    ends = EndsSerializer()


class ReleaseFiguresSerializer(serializers.Serializer[Any]):
    """The figures of a project's releases since a time."""

    since = serializers.DateTimeField()
    days = serializers.IntegerField()
    stages = StagesSerializer()
    ends = EndsSerializer()
    places = PlaceFiguresSerializer(many=True)
    people = PersonFiguresSerializer(many=True)
    gates = GateFiguresSerializer(many=True)
    teams = TeamFiguresSerializer(many=True, help_text="Those that you see")
    more_wait = serializers.BooleanField(
        help_text="More releases wait than those whose gates were read"
    )
    is_cut = serializers.BooleanField(help_text="Only the newest of them counted")


def figures_body(found: Figures) -> dict[str, Any]:
    """Return the figures."""
    places = [{**row.place._asdict(), **_measured(row.stages, row.ends)} for row in found.places]
    teams = [{"team": row.team, **_measured(row.stages, row.ends)} for row in found.teams]
    plain = ("since", "days", "people", "gates", "more_wait", "is_cut")
    body = {
        **{name: getattr(found, name) for name in plain},
        **_measured(found.stages, found.ends),
        "places": places,
        "teams": teams,
    }
    return dict(ReleaseFiguresSerializer(body).data)


def _measured(stages: Stages, ends: Ends) -> Mapping[str, Any]:
    return {"stages": asdict(stages), "ends": ends}


class ReleaseFigures(PlacetView):
    """The figures."""

    query_params = ("days",)

    @extend_schema(
        operation_id="projects_figures",
        parameters=[
            OpenApiParameter(
                "days", OpenApiTypes.INT, enum=DAYS, description=f"How far back; {USUAL} if absent"
            )
        ],
        responses=ReleaseFiguresSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        """Read how long releases of a project take, who is waited for, how often they fail."""
        days = days_of(request.query_params.get("days", ""))
        found = figures(project_by_slug(slug, self.actor), self.actor, days=days)
        return Response(figures_body(found))
