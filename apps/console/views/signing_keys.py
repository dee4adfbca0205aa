"""The keys whose signatures over models a project trusts."""

from datetime import UTC, datetime

from django.http import HttpResponse

from apps.console.queries.signing_keys import signing_key_list_page
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.registry.actions import revoke_signing_key, trust_signing_key
from apps.registry.queries import project_for, signing_key_for
from placet.kernel.problems import FieldError, InvalidInput, Problem


@page
def signing_keys(request: PageRequest, project: str) -> HttpResponse:
    """List the model signing keys of a project."""
    return key_list(request, project)


def key_list(request: PageRequest, slug: str, fault: str = "") -> HttpResponse:
    """Show the keys; with ``fault`` the form that was refused is filled in as it was."""
    project = project_for(slug, request.actor, view="project.view")
    return show(
        request,
        "signing_keys",
        page=signing_key_list_page(project, request.actor),
        project=project,
        fault=fault,
        typed=request.POST,
    )


@action
def trust(request: PageRequest, project: str) -> HttpResponse:
    """Trust a key; a refusal shows the form again as it was."""
    try:
        trust_signing_key(
            project_for(project, request.actor, view="project.view"),
            label=request.POST.get("label", ""),
            pem=request.POST.get("pem", "").replace("\r\n", "\n"),  # as browsers send lines
            valid_until=_last_day(request.POST.get("valid_until", "")),
            actor=request.actor,
        )
    except Problem as problem:
        return key_list(request, project, fault_of(problem))
    return back(request)


@action
def revoke(request: PageRequest, project: str, signing_key: str) -> HttpResponse:
    """Revoke a key."""
    row = project_for(project, request.actor, view="project.view")
    revoke_signing_key(signing_key_for(row, signing_key, request.actor), actor=request.actor)
    return back(request)


def _last_day(text: str) -> datetime | None:
    """Return the beginning of the day that a form names; ``None`` where it names none."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput(errors=[FieldError("/valid_until", "A day, as 2027-12-31")]) from None
