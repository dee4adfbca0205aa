"""One's own API tokens."""

from datetime import timedelta
from functools import partial

from django.http import HttpResponse

from apps.console.queries.sorting import TOKENS
from apps.console.queries.tokens import (
    USUAL_DAYS,
    TokenForm,
    revocable,
    scopes_held,
    token_form,
    token_rows,
)
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.fields import read_whole, whole
from apps.console.views.lists import act_on_each
from apps.identity.actions import TokenTerms, issue_token, revoke_token
from apps.identity.models import ApiToken, Project, User
from apps.identity.queries import visible
from apps.identity.rules.presets import CUSTOM, preset_scopes
from placet.kernel.clock import now
from placet.kernel.problems import FieldError, InvalidInput, NotFound, Problem


@page
def tokens(request: PageRequest) -> HttpResponse:
    """List one's own tokens, and what a new one could be let do; ``?preset=`` chooses that."""
    return token_list(request)


def token_list(request: PageRequest, fault: str = "") -> HttpResponse:
    """Show the tokens; with ``fault`` the form that was refused is filled in as it was."""
    sorting = TOKENS.of(request.GET.get("sort", ""))
    return show(
        request,
        "tokens",
        sorting=sorting,
        rows=(rows := token_rows(request.actor, sorting)),
        revocable=revocable(rows),
        form=form_of(request),
        fault=fault,
        typed=request.POST,
    )


def form_of(request: PageRequest) -> TokenForm:
    """Return the form of a new token as it was sent, else as the address preselects it."""
    sent = request.POST
    days = read_whole(sent.get("days", "")) or USUAL_DAYS
    return token_form(request.actor, sent or request.GET, sent.getlist("scopes"), days)


def terms_of(request: PageRequest) -> TokenTerms:
    """Return what a form says of a new token."""
    slug = request.POST.get("project", "")
    projects = visible(Project.objects.filter(slug=slug), request.actor, project="pk")
    if slug and not projects:
        raise InvalidInput(errors=[FieldError("/project", "No project with this slug")])
    return TokenTerms(
        name=request.POST.get("name", ""),
        scopes=scopes_of(request),
        project=projects.first(),
        expires_at=now() + timedelta(days=whole(request, "days", digits=4)),
    )


def scopes_of(request: PageRequest) -> list[str]:
    """Return the permissions that a form chooses: those of a preset, or each by itself."""
    preset = request.POST.get("preset", CUSTOM)
    scopes = preset_scopes(preset, scopes_held(request.actor))
    if scopes == []:
        detail = "You have none of these permissions: choose another preset"
        raise InvalidInput(errors=[FieldError("/preset", detail)])
    return request.POST.getlist("scopes") if scopes is None else scopes


@action
def new_token(request: PageRequest) -> HttpResponse:
    """Make a token and show it once; a refusal shows the form again as it was."""
    try:
        terms = terms_of(request)
        token, secret = issue_token(
            name=terms.name,
            scopes=terms.scopes,
            project=terms.project,
            expires_at=terms.expires_at,
            person=User.objects.get(pk=request.actor.id),
            actor=request.actor,
        )
    except Problem as problem:
        return token_list(request, fault_of(problem))
    title = f"API token {token.name}"
    return show(request, "secret", title=title, secret=secret, next="/tokens/", kind="token")


@action
def end_token(request: PageRequest, token_id: str) -> HttpResponse:
    """End a token of one's own."""
    revoke_token(own_token(request, token_id), actor=request.actor)
    return back(request)


@action
def end_each(request: PageRequest) -> HttpResponse:
    """End several tokens of one's own."""
    revoked = partial(revoke_token, actor=request.actor)
    return act_on_each(request, partial(own_token, request), revoked, one="token", done="revoked")


def own_token(request: PageRequest, token_id: str) -> ApiToken:
    """Return a token of one's own, or raise :class:`NotFound`."""
    token = ApiToken.objects.filter(person=request.actor.id, pk=token_id).first()
    if token is None:
        raise NotFound
    return token
