"""One's own API tokens."""

from datetime import timedelta

from django.http import HttpResponse

from apps.console.queries.tokens import token_list_page
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.fields import read_whole, whole
from apps.identity.actions import issue_token, revoke_token
from apps.identity.models import ApiToken, Project, User
from apps.identity.queries import visible
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput, NotFound, Problem


@page
def tokens(request: PageRequest) -> HttpResponse:
    """List one's own tokens, and what a new one could be allowed to do."""
    return token_list(request)


def token_list(request: PageRequest, fault: str = "") -> HttpResponse:
    """Show the tokens; with ``fault`` the form that was refused is filled in as it was."""
    page_object, sent = token_list_page(request.actor), request.POST
    usual = [scope for scope in page_object.scopes if "view" in scope]
    return show(
        request,
        "tokens",
        page=page_object,
        fault=fault,
        typed=sent,
        chosen_days=read_whole(sent.get("days", "")) or 30,
        chosen_scopes=sent.getlist("scopes") if sent else usual,
    )


@action
def new_token(request: PageRequest) -> HttpResponse:
    """Make a token and show it once; a refusal shows the form again as it was."""
    slug = request.POST.get("project", "")
    projects = visible(Project.objects.filter(slug=slug), request.actor, project="pk")
    try:
        if slug and not projects:
            raise InvalidInput(errors=[FieldError("/project", "There is none with this slug")])
        token, secret = issue_token(
            name=request.POST.get("name", ""),
            scopes=request.POST.getlist("scopes"),
            project=projects.first(),
            expires_at=now() + timedelta(days=whole(request, "days", digits=4)),
            person=User.objects.get(pk=request.actor.id),
            actor=request.actor,
        )
    except Problem as problem:
        return token_list(request, fault_of(problem))
    return show(
        request,
        "secret",
        title=f"API token {token.name}",
        secret=secret,
        next="/tokens/",
        kind="token",
    )


@action
def end_token(request: PageRequest, token_id: str) -> HttpResponse:
    """End a token of one's own."""
    token = ApiToken.objects.filter(person=request.actor.id, pk=token_id).first()
    if token is None:
        raise NotFound
    revoke_token(token, actor=request.actor)
    return back(request)
