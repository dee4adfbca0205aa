"""People: who they are, which roles they hold, what they did, and what is done about them."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.queries.person_page import person_page
from apps.console.views.asking import ask_before_deactivating, ask_before_removing
from apps.console.views.base import PageRequest, action, back, page, show
from apps.identity.actions import (
    deactivate_person,
    end_sessions,
    erase_person,
    grant_role,
    reactivate_person,
    revoke_role,
    setup_link,
)
from apps.identity.models import Project, User
from apps.identity.queries import role_to_take, visible, visible_people
from apps.identity.sign_in.invitations import link_of, mail_setup_link
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NotFound


@page
def person(request: PageRequest, person_id: str) -> HttpResponse:
    """Show a person to whom they are no secret: access administrators, auditors, themselves."""
    return show(request, "person", page=person_page(person_id, request.actor))


def seen_person(person_id: str, actor: Actor) -> User:
    """Return the person that ``actor`` may see, or raise ``NotFound``."""
    row = visible_people(actor).filter(pk=person_id).first()
    if row is None:
        raise NotFound
    return row


def place_of(text: str, actor: Actor) -> tuple[Project | None, str]:
    """Return the project and the environment that a form names as ``slug`` or ``slug/name``; none
    for everywhere."""
    slug, _, environment = text.partition("/")
    if not slug:
        return None, ""
    project = visible(Project.objects.filter(slug=slug), actor, project="pk").first()
    if project is None:
        raise InvalidInput(errors=[FieldError("/place", "There is no such project")])
    return project, environment


def hand_over(request: PageRequest, row: User, path: str) -> HttpResponse:
    """Mail a set-up link to whom it is for; where that cannot be, show it once to who made it."""
    if mail_setup_link(row, path):
        messages.success(request, f"An invitation is on its way to {row.email}.")
        return redirect("person", row.pk)
    response = show(request, "setup_link", person=row, secret=link_of(path))
    response["Cache-Control"] = "no-store"
    return response


@action
def give_role(request: PageRequest, person_id: str) -> HttpResponse:
    """Give a person a role."""
    row, role = seen_person(person_id, request.actor), request.POST.get("role", "")
    project, environment = place_of(request.POST.get("place", ""), request.actor)
    binding = grant_role(
        role=role, person=row, project=project, environment=environment, actor=request.actor
    )
    messages.success(request, f"{row} now holds: {binding}.")
    return back(request)


@action
def take_role(request: PageRequest, person_id: str, role_id: str) -> HttpResponse:
    """Take a role away from a person, who holds it by no team."""
    row = seen_person(person_id, request.actor)
    binding = role_to_take(role_id, request.actor, person=row)
    if asked := ask_before_removing(request, binding):
        return asked
    revoke_role(binding, actor=request.actor)
    messages.success(request, f"Removed: {binding}.")
    return back(request)


@action
def sign_out(request: PageRequest, person_id: str) -> HttpResponse:
    """End all sessions of a person."""
    row = end_sessions(seen_person(person_id, request.actor), actor=request.actor)
    messages.success(request, f"{row} is signed out everywhere.")
    return back(request)


@action
def deactivate(request: PageRequest, person_id: str) -> HttpResponse:
    """End a person's access."""
    row = seen_person(person_id, request.actor)
    if asked := ask_before_deactivating(request, row):
        return asked
    row = deactivate_person(row, actor=request.actor)
    messages.success(request, f"{row} is deactivated.")
    return back(request)


@action
def reactivate(request: PageRequest, person_id: str) -> HttpResponse:
    """Let a person in again."""
    row = reactivate_person(seen_person(person_id, request.actor), actor=request.actor)
    messages.success(request, f"{row} is active again. Send a set-up link: the password is gone.")
    return back(request)


@action
def erase(request: PageRequest, person_id: str) -> HttpResponse:
    """Erase a deactivated person."""
    erase_person(seen_person(person_id, request.actor), actor=request.actor)
    messages.success(request, "Erased. What this person did stays, under their id.")
    return back(request)


@action
def send_setup_link(request: PageRequest, person_id: str) -> HttpResponse:
    """Make a person another link to set their first password."""
    row = seen_person(person_id, request.actor)
    return hand_over(request, row, setup_link(row, actor=request.actor))
