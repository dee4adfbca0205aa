"""Teams and their members."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api.lookups import access_manager, named, one
from apps.identity.api.matching import match_for
from apps.identity.models import Team, TeamMember, User
from apps.identity.queries import visible_teams
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, etag


class TeamSerializer(serializers.Serializer[Any]):
    """People who hold roles together."""

    id = serializers.CharField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewTeamSerializer(serializers.Serializer[Any]):
    """A team to be made."""

    name = serializers.CharField(max_length=120)


class MemberSerializer(serializers.Serializer[Any]):
    """A person in a team."""

    id = serializers.CharField()
    person = serializers.CharField(source="person_id")
    name = serializers.CharField(source="person.name")


class NewMemberSerializer(serializers.Serializer[Any]):
    """A person to be put into a team."""

    person = serializers.CharField(max_length=40)


def team_tag(team: Team) -> str:
    """Return the ETag of a team."""
    return etag(team.pk, team.name)


def team_answer(team: Team, status: int = 200) -> Response:
    """Answer with one team."""
    headers = {"ETag": team_tag(team)}
    if status == 201:
        headers["Location"] = f"/api/v1/teams/{team.pk}"
    return Response(TeamSerializer(team).data, status=status, headers=headers)


class TeamList(ListView):
    """Teams."""

    @extend_schema(operation_id="teams_list", responses=page_of(TeamSerializer))
    def get(self, request: Request) -> Response:
        """List teams: all of them if you administer or audit access, else your own."""
        rows = visible_teams(self.actor)
        return self.page(rows, many(TeamSerializer))

    @extend_schema(
        operation_id="teams_create",
        request=NewTeamSerializer,
        responses={201: TeamSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a team."""
        data: Any = self.body(NewTeamSerializer)
        return team_answer(actions.create_team(**data, actor=self.actor), 201)


class TeamDetail(PlacetView):
    """One team."""

    @extend_schema(operation_id="teams_read", responses=TeamSerializer)
    def get(self, request: Request, team: str) -> Response:
        """Read a team."""
        return team_answer(one(visible_teams(self.actor), team))

    @extend_schema(operation_id="teams_delete", responses={204: None})
    def delete(self, request: Request, team: str) -> Response:
        """Remove a team with its memberships and roles. Needs If-Match."""
        row = one(visible_teams(self.actor), team)
        match_for("access.manage", None, team_tag(row), asked=self)
        actions.delete_team(row, actor=self.actor)
        return Response(status=204)


class MemberList(ListView):
    """The people of a team."""

    @extend_schema(operation_id="team_members_list", responses=page_of(MemberSerializer))
    def get(self, request: Request, team: str) -> Response:
        """List a team's members."""
        row = one(visible_teams(self.actor), team)
        rows = TeamMember.objects.filter(team=row).select_related("person")
        return self.page(rows, many(MemberSerializer))

    @extend_schema(
        operation_id="team_members_add",
        request=NewMemberSerializer,
        responses={201: MemberSerializer},
    )
    def post(self, request: Request, team: str) -> Response:
        """Put a person into a team."""
        row = one(visible_teams(self.actor), team)
        access_manager(self.actor)
        data: Any = self.body(NewMemberSerializer)
        person = named(User, "person", data["person"])
        assert person is not None
        member = actions.add_member(row, person=person, actor=self.actor)
        return Response(MemberSerializer(member).data, status=201)


class MemberRemove(PlacetView):
    """Taking a person out of a team."""

    @extend_schema(operation_id="team_members_remove", request=None, responses={204: None})
    def post(self, request: Request, team: str, person: str) -> Response:
        """Take a person out of a team; the team's roles go with the membership."""
        row = one(visible_teams(self.actor), team)
        access_manager(self.actor)
        member = one(User.objects.filter(memberships__team=row), person)
        actions.remove_member(row, person=member, actor=self.actor)
        return Response(status=204)
