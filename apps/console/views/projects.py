"""Projects: their list, and of each the overview, members, activity, settings, environments."""

import re
from decimal import Decimal

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.assurance.queries.figures import days_of
from apps.console.context import COOKIE
from apps.console.queries.activity import activity_page, group_choices
from apps.console.queries.environment_page import environment_page
from apps.console.queries.figures import days_choices, figures_page
from apps.console.queries.log_search import LogSearch
from apps.console.queries.members import holder_name, members_page
from apps.console.queries.project_page import project_page
from apps.console.queries.project_settings import GIGABYTE, settings_page
from apps.console.queries.projects import NewProjectForm, ProjectListPage, project_list_page
from apps.console.views.asking import ask_before_removing
from apps.console.views.audit import exported
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.fields import LONG, read_whole, whole, whole_or_none
from apps.console.views.filters import refused
from apps.console.views.reviewers import DAYS
from apps.governance import promotion
from apps.governance.actions import update_environment
from apps.governance.queries import visible_rows
from apps.identity.actions import create_project, grant_role, revoke_role, update_project
from apps.identity.meant import subject_for
from apps.identity.models import Project
from apps.identity.queries import authorize, project_by_slug, role_to_take
from placet.kernel.problems import FieldError, InvalidInput, Problem


@page
def projects(request: PageRequest) -> HttpResponse:
    """List the projects; whoever goes there stands in none."""
    response = project_list(request)
    response.delete_cookie(COOKIE)
    return response


def project_list(request: PageRequest, fault: str = "") -> HttpResponse:
    """Show the list; with ``fault`` also the form that was refused, filled in as it was."""
    after = request.GET.get("after", "")
    rows, key = project_list_page(request.actor, after=after)
    listed = ProjectListPage(request.actor, rows, NewProjectForm(request.POST))
    return show(request, "projects", page=listed, key=key, after=after, fault=fault)


@action
def new_project(request: PageRequest) -> HttpResponse:
    """Make a project from the form on the list; a refusal shows it again as it was."""
    typed = request.POST
    try:
        row = create_project(
            slug=typed.get("slug", "").strip(),
            name=typed.get("name", ""),
            description=typed.get("description", ""),
            artifact_quota=quota_of(request),
            template=typed.get("template", ""),
            actor=request.actor,
        )
    except Problem as problem:
        return project_list(request, fault_of(problem))
    messages.success(request, f"{row.name} is there. Give people roles in it.")
    return redirect("members", row.slug)


def quota_of(request: PageRequest) -> int:
    """Return the storage quota that was typed in GB, in bytes; nothing typed is no limit."""
    text = request.POST.get("quota", "").strip()
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,9})?", text):
        detail = "Give a number of GB, such as 20 or 1.5; leave it empty for no limit"
        raise InvalidInput(errors=[FieldError("/quota", detail)])
    return int(Decimal(text) * GIGABYTE)


@page
def project(request: PageRequest, project: str) -> HttpResponse:
    """Show what is in a project, where it is live, and what is wrong; its reader stands in it from
    then on."""
    row = project_by_slug(project, request.actor)
    response = show(request, "project", page=project_page(row, request.actor))
    response.set_cookie(COOKIE, row.slug, secure=request.is_secure(), httponly=True, samesite="Lax")
    return response


@page
def members(request: PageRequest, project: str) -> HttpResponse:
    """Show who has which role in a project."""
    return members_shown(request, project_by_slug(project, request.actor))


def members_shown(request: PageRequest, row: Project, fault: str = "") -> HttpResponse:
    """Show the members; with ``fault`` the form that was refused is filled in as it was."""
    return show(
        request, "members", page=members_page(row, request.actor, request.POST), fault=fault
    )


@action
def add_member(request: PageRequest, project: str) -> HttpResponse:
    """Give somebody a role in a project; a refusal shows the form again as it was."""
    row, typed = project_by_slug(project, request.actor), request.POST
    try:
        kind, subject = subject_for(row, typed.get("who", ""), request.actor)
        grant_role(
            role=typed.get("role", ""),
            project=row,
            environment=typed.get("environment", ""),
            actor=request.actor,
            **{kind: subject},
        )
    except Problem as problem:
        return members_shown(request, row, fault_of(problem))
    place = f"{row.name} / {typed['environment']}" if typed.get("environment") else row.name
    messages.success(request, f"{subject} is {typed['role']} in {place}.")
    return back(request)


@action
def remove_role(request: PageRequest, project: str, role_id: str) -> HttpResponse:
    """Take a role in a project away."""
    row = project_by_slug(project, request.actor)
    binding = role_to_take(role_id, request.actor, project=row)
    holder = holder_name(binding)
    if asked := ask_before_removing(request, binding):
        return asked
    revoke_role(binding, actor=request.actor)
    messages.success(request, f"Removed from {holder}: {binding}.")
    return back(request)


@page
def activity(request: PageRequest, project: str) -> HttpResponse:
    """Show what happened in a project, newest first."""
    row = project_by_slug(project, request.actor)
    if answer := refused(request, f"Activity in {row.name}", group=group_choices):
        return answer
    group = request.GET.get("group", "")
    before = read_whole(request.GET.get("before", ""), digits=LONG)
    page_object = activity_page(row, request.actor, group=group, before=before)
    links = exported(LogSearch(project=row.pk, group=page_object.group))
    return show(request, "activity", page=page_object, exported=links)


@page
def figures(request: PageRequest, project: str) -> HttpResponse:
    """Show how long releases of a project take, who is waited for, and how often they fail."""
    row = project_by_slug(project, request.actor)
    if answer := refused(request, f"Release figures of {row.name}", days=days_choices):
        return answer
    days = days_of(request.GET.get("days", ""))
    return show(request, "figures", page=figures_page(row, request.actor, days=days))


@page
def settings(request: PageRequest, project: str) -> HttpResponse:
    """Show what may be changed about a project, to who may change it."""
    row = project_by_slug(project, request.actor)
    authorize(request.actor, "project.edit", row)
    return show(request, "project_settings", page=settings_page(row, request.actor, {}))


@action
def save_settings(request: PageRequest, project: str) -> HttpResponse:
    """Change a project, if it is still as the form showed it; a refusal shows the form again."""
    row, typed = project_by_slug(project, request.actor), request.POST
    try:
        update_project(
            row,
            name=typed.get("name", ""),
            description=typed.get("description", ""),
            artifact_quota=quota_of(request) if "quota" in typed else None,
            version=whole(request, "version"),
            actor=request.actor,
        )
    except Problem as problem:
        shown = settings_page(row, request.actor, typed)
        return show(request, "project_settings", page=shown, fault=fault_of(problem))
    messages.success(request, "Saved.")
    return back(request)


@page
def environment(request: PageRequest, project: str, environment: str) -> HttpResponse:
    """Show one environment: its policy in force, freezes, targets, and what serves there."""
    found = environment_page(project, environment, request.actor)
    return show(request, "environment", page=found, environment=found.environment)


@action
def save_promotion(request: PageRequest, project: str, environment: str) -> HttpResponse:
    """Say whether what has soaked in an environment is requested in another by itself, if it is
    still as the form showed it."""
    row = visible_rows.environment(
        project_by_slug(project, request.actor), environment, request.actor
    )
    to, plan = (request.POST.get(name, "").strip() for name in ("to", "plan"))
    setting = {"after": promotion.AFTER, "to": to, "plan": plan} if to else {}
    version = whole(request, "version")
    update_environment(row, promote=setting, revision=version, actor=request.actor)
    messages.success(request, "Saved.")
    return back(request)


@action
def save_review_days(request: PageRequest, project: str, environment: str) -> HttpResponse:
    """Say within how many days who is asked by name to review a release answers, if the environment
    is still as the form showed it."""
    row = visible_rows.environment(
        project_by_slug(project, request.actor), environment, request.actor
    )
    days = whole_or_none(request, "review_days", detail=DAYS) or 0
    version = whole(request, "version")
    update_environment(row, review_days=days, revision=version, actor=request.actor)
    messages.success(request, "Saved.")
    return back(request)
