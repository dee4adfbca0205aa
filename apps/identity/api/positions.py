"""Where people stand: line of defence, and to whom they report."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api.lookups import access_manager, named, one
from apps.identity.api.matching import match_for
from apps.identity.models import LineOfDefence, Position, User
from apps.identity.queries import visible_people
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, etag


class PositionSerializer(serializers.Serializer[Any]):
    """Where a person stands: line of defence, and to whom they report.

    Without a manager, and not at the top, their line is not known.
    """

    person = serializers.CharField(source="person_id")
    line = serializers.ChoiceField(LineOfDefence.values, help_text="Line of defence; '': not set")
    manager = serializers.CharField(source="manager_id", allow_null=True)
    top = serializers.BooleanField(help_text="Reports to nobody: reporting lines end here")
    set_by = serializers.CharField(help_text="Who said so, '' where nobody has")
    set_at = serializers.DateTimeField(allow_null=True)


class NewPositionSerializer(serializers.Serializer[Any]):
    """Where a person stands from now on; what is left out is not known any more."""

    line = serializers.ChoiceField(
        LineOfDefence.values, required=False, help_text="Line of defence; '': not known"
    )
    manager = serializers.CharField(
        max_length=40, required=False, allow_null=True, help_text="Whom they report to, by id"
    )
    top = serializers.BooleanField(required=False, help_text="They report to nobody")


def position_of(person: User) -> Position:
    """Return a person's position; where nobody has said anything yet, one that says so."""
    return Position.objects.filter(person=person).first() or Position(person=person, set_by="")


def position_tag(row: Position) -> str:
    """Return the ETag of a position."""
    return etag(row.person_id, row.line, row.manager_id, row.top, row.set_by)


def position_answer(row: Position) -> Response:
    """Answer with one position."""
    return Response(PositionSerializer(row).data, headers={"ETag": position_tag(row)})


class PositionList(ListView):
    """Positions."""

    @extend_schema(operation_id="positions_list", responses=page_of(PositionSerializer))
    def get(self, request: Request) -> Response:
        """List where people stand: everybody if you administer or audit access, else yourself."""
        rows = Position.objects.filter(person__in=visible_people(self.actor))
        return self.page(rows, many(PositionSerializer))


class PositionDetail(PlacetView):
    """Where one person stands."""

    @extend_schema(operation_id="people_position", responses=PositionSerializer)
    def get(self, request: Request, person: str) -> Response:
        """Read where a person stands."""
        return position_answer(position_of(one(visible_people(self.actor), person)))

    @extend_schema(
        operation_id="people_place",
        request=NewPositionSerializer,
        responses=PositionSerializer,
    )
    def put(self, request: Request, person: str) -> Response:
        """Say where a person stands. Needs If-Match. Nobody places themselves."""
        row = one(visible_people(self.actor), person)
        access_manager(self.actor)
        data: Any = self.body(NewPositionSerializer)
        match_for("access.manage", None, position_tag(position_of(row)), asked=self)
        manager = named(User, "manager", data.pop("manager", None))
        return position_answer(actions.place_person(row, **data, manager=manager, actor=self.actor))
