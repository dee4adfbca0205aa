"""Targets: their nodes, who answers for them, and who may use them."""

from django.contrib import messages
from django.http import HttpResponse

from apps.console.queries.empty_lists import EmptyList
from apps.console.queries.targets import TargetForm, TargetListPage, target_list_page, target_page
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.fields import whole
from apps.governance.queries.sharing import shared_last
from apps.identity.queries import project_by_slug
from apps.serving.actions import (
    allow_use,
    create_target,
    end_use,
    issue_join_token,
    update_target,
)
from apps.serving.queries import get_target, uses_of
from placet.kernel.problems import FieldError, InvalidInput, NotFound, Problem


@page
def targets(request: PageRequest) -> HttpResponse:
    """List the targets."""
    return target_list(request)


def target_list(request: PageRequest, fault: str = "") -> HttpResponse:
    """Show the targets; with ``fault`` also the form that was refused, filled in as it was."""
    after = request.GET.get("after", "")
    rows, key = target_list_page(request.actor, after=after)
    may_manage, shared = request.actor.can("target.manage"), shared_last(request.actor)
    empty = EmptyList(request.actor, "targets", "target.view")
    return show(
        request,
        "targets",
        page=TargetListPage(rows, may_manage, empty, shared),
        key=key,
        after=after,
        fault=fault,
        form=TargetForm(request.POST),
    )


@action
def new_target(request: PageRequest) -> HttpResponse:
    """Add a target; a refusal shows the form again as it was."""
    try:
        create_target(
            name=request.POST.get("name", ""),
            site=request.POST.get("site", "on-premise"),
            capacity_mb=whole(request, "capacity_mb"),
            url=request.POST.get("url", ""),
            actor=request.actor,
        )
    except Problem as problem:
        return target_list(request, fault_of(problem))
    return back(request)


@action
def join_token(request: PageRequest, name: str) -> HttpResponse:
    """Make a one-time join token and show it once."""
    secret = issue_join_token(get_target(name, request.actor), actor=request.actor)
    return show(
        request,
        "secret",
        title=f"Join token for {name}",
        secret=secret,
        next=request.POST.get("next", "/"),
        kind="node",
    )


@page
def target(request: PageRequest, name: str) -> HttpResponse:
    """Show one target, and who may use it."""
    return target_shown(request, name)


def target_shown(
    request: PageRequest, name: str, owner_fault: str = "", url_fault: str = ""
) -> HttpResponse:
    """Show a target; with a fault the form that was refused is filled in as it was."""
    after = request.GET.get("after", "")
    page_object = target_page(name, request.actor, after=after)
    return show(
        request,
        "target",
        page=page_object,
        row=page_object.row,
        key=page_object.key,
        after=after,
        owner_fault=owner_fault,
        url_fault=url_fault,
        typed=request.POST,
    )


@action
def owner(request: PageRequest, name: str) -> HttpResponse:
    """Have another person answer for a target."""
    return _update(request, name, "owner")


@action
def address(request: PageRequest, name: str) -> HttpResponse:
    """Change where clients reach a target."""
    return _update(request, name, "url")


def _update(request: PageRequest, name: str, field: str) -> HttpResponse:
    """Change one field of a target, if it is still as the form showed it."""
    row, revision = get_target(name, request.actor), whole(request, "revision")
    typed = request.POST.get(field, "").strip()
    try:
        update_target(row, revision=revision, actor=request.actor, **{field: typed})
    except Problem as problem:
        return target_shown(request, name, **{f"{field}_fault": fault_of(problem)})
    messages.success(request, "Changed.")
    return back(request)


@action
def add_use(request: PageRequest, name: str) -> HttpResponse:
    """Let a project, or one environment of it, use a target."""
    row = get_target(name, request.actor)
    try:
        project = project_by_slug(request.POST.get("project", ""), request.actor)
    except NotFound:
        raise InvalidInput(errors=[FieldError("/project", "Choose a project")]) from None
    environment = request.POST.get("environment", "").strip()
    use, _ = allow_use(row, project=project, environment=environment, actor=request.actor)
    messages.success(request, f"{use} may use {row}.")
    return back(request)


@action
def remove_use(request: PageRequest, name: str, use_id: str) -> HttpResponse:
    """Take an entry off a target's list."""
    use = uses_of(get_target(name, request.actor), request.actor).filter(pk=use_id).first()
    if use is None:
        raise NotFound
    end_use(use, actor=request.actor)
    messages.success(request, f"{use} may no longer use {name}.")
    return back(request)
