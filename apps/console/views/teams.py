"""Teams: who is in them, and the roles that are given to them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.queries.administration import administration_head
from apps.console.queries.teams import team_by_id, team_list_page, team_page
from apps.console.views.asking import ask_before_removing, ask_first
from apps.console.views.base import PageRequest, action, back, page, show
from apps.console.views.people import place_of, seen_person
from apps.governance.queries.lockouts import after_deleting_team, after_removing_member
from apps.identity.actions import (
    add_member,
    create_team,
    delete_team,
    grant_role,
    remove_member,
    revoke_role,
)
from apps.identity.models import Team, User
from apps.identity.queries import role_to_take, visible_people
from placet.kernel.problems import FieldError, InvalidInput


@page
def team_list(request: PageRequest) -> HttpResponse:
    """List the teams."""
    head, after = administration_head(request.actor), request.GET.get("after", "")
    listed = team_list_page(head, after)
    return show(request, "teams", page=listed, key=listed.key, after=after)


@page
def team(request: PageRequest, team_id: str) -> HttpResponse:
    """Show a team, to who administers or audits access."""
    head = administration_head(request.actor)
    return show(request, "team", page=team_page(team_by_id(team_id, head.actor), head))


@action
def create(request: PageRequest) -> HttpResponse:
    """Make a team, and go on at its page."""
    administration_head(request.actor)
    row = create_team(name=request.POST.get("name", ""), actor=request.actor)
    messages.success(request, f"The team {row} is there: add people, and give it roles.")
    return redirect("team", row.pk)


@action
def delete(request: PageRequest, team_id: str) -> HttpResponse:
    """Remove a team; what its people held by it goes with it."""
    row = _team(request, team_id)
    if asked := ask_first(
        request,
        lambda: after_deleting_team(row),
        title=f"Delete the team {row}?",
        submit="Delete all the same",
    ):
        return asked
    delete_team(row, actor=request.actor)
    messages.success(request, f"The team {row} is deleted, and the roles given to it.")
    return redirect("teams")


@action
def add(request: PageRequest, team_id: str) -> HttpResponse:
    """Put a person into a team."""
    row, address = _team(request, team_id), request.POST.get("who", "").strip()
    asked = User.objects.normalize_email(address)
    person = visible_people(request.actor).filter(email=asked).first()
    if person is None:
        raise InvalidInput(errors=[FieldError("/who", "Nobody has this e-mail address")])
    add_member(row, person=person, actor=request.actor)
    messages.success(request, f"{person} is in the team {row}.")
    return back(request)


@action
def remove(request: PageRequest, team_id: str, person_id: str) -> HttpResponse:
    """Take a person out of a team."""
    row, person = _team(request, team_id), seen_person(person_id, request.actor)
    if asked := ask_first(
        request,
        lambda: after_removing_member(row, person),
        title=f"Remove {person} from the team {row}?",
        submit="Remove all the same",
    ):
        return asked
    remove_member(row, person=person, actor=request.actor)
    messages.success(request, f"{person} is not in the team {row} any more.")
    return back(request)


@action
def give_role(request: PageRequest, team_id: str) -> HttpResponse:
    """Give a team a role."""
    row = _team(request, team_id)
    project, environment = place_of(request.POST.get("place", ""), request.actor)
    binding = grant_role(
        role=request.POST.get("role", ""),
        team=row,
        project=project,
        environment=environment,
        actor=request.actor,
    )
    messages.success(request, f"Everybody in {row} now holds: {binding}.")
    return back(request)


@action
def take_role(request: PageRequest, team_id: str, team_role: str) -> HttpResponse:
    """Take a role away from a team."""
    row = _team(request, team_id)
    binding = role_to_take(team_role, request.actor, team=row)
    if asked := ask_before_removing(request, binding):
        return asked
    revoke_role(binding, actor=request.actor)
    messages.success(request, f"Removed: {binding}.")
    return back(request)


def _team(request: PageRequest, team_id: str) -> Team:
    return team_by_id(team_id, administration_head(request.actor).actor)
