"""People, teams and service accounts."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.api import serializers as s
from apps.identity.api.views.lookups import access_manager, named, one
from apps.identity.models import Team, TeamMember, User
from apps.identity.queries import visible_people, visible_services, visible_teams
from placet.kernel.api.lists import ListView, many, page_of
from placet.kernel.api.views import PlacetView, etag, require_match


def person_tag(person: User) -> str:
    """Return the ETag of a person."""
    return etag(person.pk, person.name, person.is_active)


def person_answer(person: User, status: int = 200) -> Response:
    """Answer with one person."""
    headers = {"ETag": person_tag(person)}
    if status == 201:
        headers["Location"] = f"/api/v1/people/{person.pk}"
    return Response(s.PersonSerializer(person).data, status=status, headers=headers)


class PersonList(ListView):
    """People."""

    @extend_schema(operation_id="people_list", responses=page_of(s.PersonSerializer))
    def get(self, request: Request) -> Response:
        """List people: everybody if you administer or audit access, else yourself."""
        rows = visible_people(self.actor)
        return self.page(rows, many(s.PersonSerializer))

    @extend_schema(
        operation_id="people_create",
        request=s.NewPersonSerializer,
        responses={201: s.PersonSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a person, who sets a password through a set-up link."""
        data: Any = self.body(s.NewPersonSerializer)
        return person_answer(actions.create_person(**data, actor=self.actor), 201)


class PersonDetail(PlacetView):
    """One person."""

    @extend_schema(operation_id="people_read", responses=s.PersonSerializer)
    def get(self, request: Request, person: str) -> Response:
        """Read a person."""
        return person_answer(one(visible_people(self.actor), person))

    @extend_schema(
        operation_id="people_update",
        request=s.PersonChangeSerializer,
        responses=s.PersonSerializer,
    )
    def patch(self, request: Request, person: str) -> Response:
        """Change a person's name. Needs If-Match."""
        row = one(visible_people(self.actor), person)
        data: Any = self.body(s.PersonChangeSerializer)
        require_match(request, person_tag(row))
        return person_answer(actions.update_person(row, **data, actor=self.actor))


class PersonDeactivate(PlacetView):
    """Ending a person's access."""

    @extend_schema(operation_id="people_deactivate", request=None, responses=s.PersonSerializer)
    def post(self, request: Request, person: str) -> Response:
        """End a person's access: sign-in, sessions, tokens, and the tokens of their services."""
        row = one(visible_people(self.actor), person)
        return person_answer(actions.deactivate_person(row, actor=self.actor))


class PersonReactivate(PlacetView):
    """Letting a person in again."""

    @extend_schema(operation_id="people_reactivate", request=None, responses=s.PersonSerializer)
    def post(self, request: Request, person: str) -> Response:
        """Let a deactivated person in again; they need a new set-up link."""
        row = one(visible_people(self.actor), person)
        return person_answer(actions.reactivate_person(row, actor=self.actor))


class PersonSetupLink(PlacetView):
    """A first password."""

    @extend_schema(
        operation_id="people_setup_link", request=None, responses={201: s.SetupLinkSerializer}
    )
    def post(self, request: Request, person: str) -> Response:
        """Make a one-time link for a person who has no password yet."""
        row = one(visible_people(self.actor), person)
        path = actions.setup_link(row, actor=self.actor)
        return Response({"url": settings.CSRF_TRUSTED_ORIGINS[0] + path}, status=201)


def team_tag(team: Team) -> str:
    """Return the ETag of a team."""
    return etag(team.pk, team.name)


def team_answer(team: Team, status: int = 200) -> Response:
    """Answer with one team."""
    headers = {"ETag": team_tag(team)}
    if status == 201:
        headers["Location"] = f"/api/v1/teams/{team.pk}"
    return Response(s.TeamSerializer(team).data, status=status, headers=headers)


class TeamList(ListView):
    """Teams."""

    @extend_schema(operation_id="teams_list", responses=page_of(s.TeamSerializer))
    def get(self, request: Request) -> Response:
        """List teams: all of them if you administer or audit access, else your own."""
        rows = visible_teams(self.actor)
        return self.page(rows, many(s.TeamSerializer))

    @extend_schema(
        operation_id="teams_create",
        request=s.NewTeamSerializer,
        responses={201: s.TeamSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a team."""
        data: Any = self.body(s.NewTeamSerializer)
        return team_answer(actions.create_team(**data, actor=self.actor), 201)


class TeamDetail(PlacetView):
    """One team."""

    @extend_schema(operation_id="teams_read", responses=s.TeamSerializer)
    def get(self, request: Request, team: str) -> Response:
        """Read a team."""
        return team_answer(one(visible_teams(self.actor), team))

    @extend_schema(operation_id="teams_delete", responses={204: None})
    def delete(self, request: Request, team: str) -> Response:
        """Remove a team with its memberships and roles. Needs If-Match."""
        row = one(visible_teams(self.actor), team)
        access_manager(self.actor)
        require_match(request, team_tag(row))
        actions.delete_team(row, actor=self.actor)
        return Response(status=204)


class MemberList(ListView):
    """The people of a team."""

    @extend_schema(operation_id="team_members_list", responses=page_of(s.MemberSerializer))
    def get(self, request: Request, team: str) -> Response:
        """List a team's members."""
        row = one(visible_teams(self.actor), team)
        rows = TeamMember.objects.filter(team=row).select_related("person")
        return self.page(rows, many(s.MemberSerializer))

    @extend_schema(
        operation_id="team_members_add",
        request=s.NewMemberSerializer,
        responses={201: s.MemberSerializer},
    )
    def post(self, request: Request, team: str) -> Response:
        """Put a person into a team."""
        row = one(visible_teams(self.actor), team)
        access_manager(self.actor)
        data: Any = self.body(s.NewMemberSerializer)
        person = named(User, "person", data["person"])
        assert person is not None
        member = actions.add_member(row, person=person, actor=self.actor)
        return Response(s.MemberSerializer(member).data, status=201)


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


class ServiceAccountList(ListView):
    """Service accounts."""

    @extend_schema(
        operation_id="service_accounts_list", responses=page_of(s.ServiceAccountSerializer)
    )
    def get(self, request: Request) -> Response:
        """List service accounts: all if you administer or audit access, else those you own."""
        rows = visible_services(self.actor)
        return self.page(rows, many(s.ServiceAccountSerializer))

    @extend_schema(
        operation_id="service_accounts_create",
        request=s.NewServiceAccountSerializer,
        responses={201: s.ServiceAccountSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a service account with a person who answers for it."""
        access_manager(self.actor)
        data: Any = self.body(s.NewServiceAccountSerializer)
        owner = named(User, "owner", data["owner"])
        assert owner is not None
        made = actions.create_service_account(name=data["name"], owner=owner, actor=self.actor)
        where = {"Location": f"/api/v1/service-accounts/{made.pk}"}
        return Response(s.ServiceAccountSerializer(made).data, status=201, headers=where)


class ServiceAccountDetail(PlacetView):
    """One service account."""

    @extend_schema(operation_id="service_accounts_read", responses=s.ServiceAccountSerializer)
    def get(self, request: Request, account: str) -> Response:
        """Read a service account."""
        row = one(visible_services(self.actor), account)
        return Response(s.ServiceAccountSerializer(row).data)


class ServiceAccountDeactivate(PlacetView):
    """Ending a service account."""

    @extend_schema(
        operation_id="service_accounts_deactivate",
        request=None,
        responses=s.ServiceAccountSerializer,
    )
    def post(self, request: Request, account: str) -> Response:
        """End a service account and all its tokens."""
        row = one(visible_services(self.actor), account)
        row = actions.deactivate_service_account(row, actor=self.actor)
        return Response(s.ServiceAccountSerializer(row).data)
