"""One's own API tokens."""

from datetime import timedelta

from django.http import HttpResponse

from apps.console.views.base import PageRequest, action, back, page, show
from apps.identity.actions import issue_token, revoke_token
from apps.identity.models import ApiToken, Project, User
from apps.identity.queries import visible
from apps.identity.rules import NEVER_BY_TOKEN
from placet.kernel.clock import now
from placet.kernel.problems import NotFound

DAYS = (1, 7, 30, 90, 365)


@page
def tokens(request: PageRequest) -> HttpResponse:
    """List one's own tokens, and what a new one could be allowed to do."""
    own = ApiToken.objects.filter(person=request.actor.id).select_related("project")
    held = {g.permission for g in request.actor.grants} - NEVER_BY_TOKEN
    projects = visible(Project.objects.order_by("name"), request.actor, project="pk")
    return show(
        request, "tokens", tokens=own.order_by("-created_at"), scopes=sorted(held),
        projects=projects, days=DAYS, now=now(),
    )  # fmt: skip


@action
def new_token(request: PageRequest) -> HttpResponse:
    """Make a token and show it once."""
    days = request.POST.get("days", "")
    project = visible(Project.objects.all(), request.actor, project="pk").filter(
        slug=request.POST.get("project", "")
    )
    token, secret = issue_token(
        name=request.POST.get("name", ""),
        scopes=request.POST.getlist("scopes"),
        project=project.first(),
        expires_at=now() + timedelta(days=int(days) if days.isdecimal() and len(days) < 4 else 0),
        person=User.objects.get(pk=request.actor.id),
        actor=request.actor,
    )
    return show(request, "secret", title=f"API token {token.name}", secret=secret,
                next="/tokens/", kind="token")  # fmt: skip


@action
def end_token(request: PageRequest, token_id: str) -> HttpResponse:
    """End a token of one's own."""
    token = ApiToken.objects.filter(person=request.actor.id, pk=token_id).first()
    if token is None:
        raise NotFound
    revoke_token(token, actor=request.actor)
    return back(request)
