"""The administration: everybody, what roles may do, all tokens, and the settings."""

from functools import partial

from django.contrib import messages
from django.http import HttpResponse

from apps.console.queries.administration import administration_head
from apps.console.queries.instance import instance_page
from apps.console.queries.issued_tokens import SHOWS as TOKEN_SHOWS
from apps.console.queries.issued_tokens import TokenFilter, issued_tokens_page
from apps.console.queries.people import SHOWS as PERSON_SHOWS
from apps.console.queries.people import PersonFilter, person_list_page
from apps.console.queries.role_matrix import role_matrix_page
from apps.console.queries.sorting import ALL_TOKENS, PEOPLE
from apps.console.views.asking import ask_first
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.filters import refused
from apps.console.views.lists import act_on_each, show_list
from apps.console.views.people import hand_over, place_of
from apps.governance.queries.lockouts import after_demanding_factor
from apps.identity.actions import (
    demand_second_factor,
    invite_person,
    revoke_token,
    waive_second_factor,
)
from apps.identity.models import ApiToken
from apps.integrations.actions import try_out
from placet.kernel.problems import NotFound, Problem


@page
def people(request: PageRequest) -> HttpResponse:
    """List everybody."""
    administration_head(request.actor)
    if answer := refused(request, "Administration", show=lambda: PERSON_SHOWS):
        return answer
    return people_shown(request)


def people_shown(request: PageRequest, fault: str = "") -> HttpResponse:
    """Show the list; with ``fault`` the invitation that was refused is open, as it was."""
    head, query = administration_head(request.actor), request.GET
    asked = PersonFilter(query.get("q", ""), query.get("show", ""))
    listed = person_list_page(
        head,
        asked=asked,
        typed=request.POST,
        sorting=(sorting := PEOPLE.of(query.get("sort", ""))),
        after=query.get("after", ""),
    )
    context = {"page": listed, "key": listed.key, "fault": fault}
    return show_list(request, "administration", sorting=sorting, **context)


@action
def invite(request: PageRequest) -> HttpResponse:
    """Add a person and send them their link; a refusal shows the form again as it was."""
    typed, actor = request.POST, administration_head(request.actor).actor
    try:
        project, environment = place_of(typed.get("place", ""), actor)
        invited = invite_person(
            email=typed.get("email", ""),
            name=typed.get("name", ""),
            role=typed.get("role", ""),
            project=project,
            environment=environment,
            actor=actor,
        )
    except Problem as problem:
        return people_shown(request, fault_of(problem))
    return hand_over(request, invited.person, invited.path)


@page
def roles(request: PageRequest) -> HttpResponse:
    """Show what each role may do."""
    head = administration_head(request.actor)
    return show(request, "role_matrix", page=role_matrix_page(head))


@action
def demand(request: PageRequest, demanding_role: str) -> HttpResponse:
    """Have a role demand a second factor."""
    administration_head(request.actor)
    if asked := ask_first(
        request,
        lambda: after_demanding_factor(demanding_role),
        title=f"Require a second factor for {demanding_role}?",
        submit="Require all the same",
        until=" until those who hold the role have set one up",
    ):
        return asked
    demand_second_factor(demanding_role, actor=request.actor)
    messages.success(request, f"The role {demanding_role} now needs a second factor.")
    return back(request)


@action
def waive(request: PageRequest, demanding_role: str) -> HttpResponse:
    """Have a role demand no second factor any more."""
    administration_head(request.actor)
    waive_second_factor(demanding_role, actor=request.actor)
    messages.success(request, f"The role {demanding_role} needs no second factor any more.")
    return back(request)


@page
def tokens(request: PageRequest) -> HttpResponse:
    """List the tokens of everybody."""
    head, query = administration_head(request.actor, manage=True), request.GET
    if answer := refused(request, "Tokens", show=lambda: TOKEN_SHOWS):
        return answer
    asked, after = TokenFilter(query.get("q", ""), query.get("show", "")), query.get("after", "")
    sorting = ALL_TOKENS.of(query.get("sort", ""))
    listed = issued_tokens_page(head, asked=asked, sorting=sorting, after=after)
    return show_list(request, "all_tokens", sorting=sorting, page=listed, key=listed.key)


@action
def revoke(request: PageRequest, token_id: str) -> HttpResponse:
    """Revoke somebody's token."""
    token = token_of(token_id)
    revoke_token(token, actor=request.actor)
    messages.success(request, f"The token {token.name} is revoked.")
    return back(request)


@action
def revoke_each(request: PageRequest) -> HttpResponse:
    """Revoke several tokens, whoever's they are."""
    administration_head(request.actor, manage=True)
    revoked = partial(revoke_token, actor=request.actor)
    return act_on_each(request, token_of, revoked, one="token", done="revoked")


def token_of(token_id: str) -> ApiToken:
    """Return somebody's token, or raise :class:`NotFound`."""
    token = ApiToken.objects.filter(pk=token_id).first()
    if token is None:
        raise NotFound
    return token


@page
def instance(request: PageRequest) -> HttpResponse:
    """Show what the instance is set up with."""
    head = administration_head(request.actor, manage=True)
    return show(request, "instance", page=instance_page(head))


@action
def trial(request: PageRequest, trial: str) -> HttpResponse:
    """Try something that the settings name, and say what came of it."""
    administration_head(request.actor)
    result = try_out(trial, actor=request.actor)
    say = messages.success if result.worked else messages.error
    say(request, result.said)
    return back(request)
