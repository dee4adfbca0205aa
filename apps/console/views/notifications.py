"""What one watches, and how one is told by mail."""

from django.contrib import messages
from django.http import HttpResponse

from apps.console.queries.notifications import notifications_page
from apps.console.views.base import PageRequest, action, back, page, show
from apps.governance.queries.visible_rows import releases
from apps.identity.queries import project_by_slug
from apps.notices.actions import choose, choose_all, watch_project, watch_release
from apps.notices.rules import KINDS, USUAL
from placet.kernel.problems import FieldError, InvalidInput, NotFound


@page
def notifications(request: PageRequest) -> HttpResponse:
    """Show what its reader watches, and how they are told."""
    return show(request, "notifications", page=notifications_page(request.actor))


@action
def save(request: PageRequest) -> HttpResponse:
    """Choose how one is told of each kind that the form names; what is usual is no choice."""
    typed = {name: request.POST.get(name, "") for name in KINDS}
    ways = {name: USUAL if way == KINDS[name].usual else way for name, way in typed.items() if way}
    choose_all(ways, actor=request.actor)
    messages.success(request, "Your notifications are saved.")
    return back(request)


@action
def save_for_project(request: PageRequest) -> HttpResponse:
    """Choose how one is told of one kind in one project."""
    slug, typed = request.POST.get("project", ""), request.POST
    if not slug:
        raise InvalidInput(errors=[FieldError("/project", "Choose a project")])
    project = project_by_slug(slug, request.actor)
    way = typed.get("way", "")
    choose(typed.get("kind", ""), way=way, project=project, actor=request.actor)
    messages.success(request, f"Your notifications of {project.name} are saved.")
    return back(request)


@action
def turn_release(request: PageRequest, release_id: str, is_on: bool) -> HttpResponse:
    """Watch a release, or want no news of it."""
    release = releases(request.actor).filter(pk=release_id).first()
    if release is None:
        raise NotFound
    watch_release(release, is_on=is_on, actor=request.actor)
    said = "You watch" if is_on else "You no longer watch"
    messages.success(request, f"{said} release {release.number}.")
    return back(request)


@action
def turn_project(request: PageRequest, project: str, is_on: bool) -> HttpResponse:
    """Watch a project, or no longer."""
    row = project_by_slug(project, request.actor)
    watch_project(row, is_on=is_on, actor=request.actor)
    said = "You watch" if is_on else "You no longer watch"
    messages.success(request, f"{said} {row.name}.")
    return back(request)
