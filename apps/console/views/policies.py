"""Environments with their policies: read, draft, try, publish; and freezes."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.addresses import page_of
from apps.console.queries.policies import none_seen, policy_list_page
from apps.console.queries.policy_changes import Deciding, Question, published
from apps.console.queries.policy_page import may, policy_page, who_publishes
from apps.console.queries.policy_revision import policy_revision_page
from apps.console.queries.policy_trial import policy_trial
from apps.console.views.asking import SURE
from apps.console.views.base import PageRequest, action, assertion_of, back, fault_of, page, show
from apps.console.views.filters import project_options, refused
from apps.governance.actions import (
    draft_policy,
    lift_freeze,
    publish_policy,
    set_freeze,
    withdraw_policy,
)
from apps.governance.actions.policies import checked, current_policy
from apps.governance.models import Environment, Freeze, PolicyRevision
from apps.governance.queries import visible_rows
from apps.governance.queries.deciders import with_deciders
from apps.governance.rules import PolicyState
from apps.identity.queries import project_by_slug, visible
from placet.kernel.clock import now
from placet.kernel.problems import NotFound, Problem


@page
def policy_list(request: PageRequest) -> HttpResponse:
    """List the environments of every project with the policy in force."""
    title = "Policies and environments"
    if answer := refused(request, title, project=project_options(request)):
        return answer
    project, after = request.GET.get("project", ""), request.GET.get("after", "")
    rows, key = policy_list_page(request.actor, project=project, after=after)
    return show(
        request,
        "policy_list",
        rows=rows,
        key=key,
        after=after,
        project=project,
        why_none=none_seen(request.actor),
    )


def with_people(request: PageRequest, project: str, environment: str) -> Environment:
    """Return an environment with who decides there."""
    found = project_by_slug(project, request.actor)
    return visible_rows.environment(found, environment, request.actor, with_deciders)


@page
def policies(request: PageRequest, project: str, environment: str) -> HttpResponse:
    """Show an environment's policy in force, its history and its freezes."""
    row = with_people(request, project, environment)
    return show(request, "policies", page=policy_page(row, request.actor), environment=row)


@page
def policy(request: PageRequest, project: str, environment: str, number: int) -> HttpResponse:
    """Show one revision of a policy: its text, and when it was in force."""
    row = with_people(request, project, environment)
    shown = policy_revision_page(row, number, request.actor)
    return show(request, "policy", page=shown, environment=row)


@action
def draft(request: PageRequest, project: str, environment: str) -> HttpResponse:
    """Store a draft, or only try it on what is open and live."""
    row = with_people(request, project, environment)
    source = request.POST.get("source", "").replace("\r\n", "\n")  # as browsers send lines
    page_object = policy_page(row, request.actor, source=source)
    try:
        if request.POST.get("do") == "try":
            tried = policy_trial(row, checked(row, source).document, request.actor)
            return show(request, "policies", page=page_object, environment=row, tried=tried)
        drafted = draft_policy(row, source=source, actor=request.actor)
    except Problem as problem:
        return show(request, "policies", page=page_object, environment=row, fault=fault_of(problem))
    messages.success(request, f"Draft saved. {who_publishes(drafted, row, request.actor)}")
    return redirect("policies", project, environment)


@action
def decide_draft(request: PageRequest, project: str, environment: str, number: int) -> HttpResponse:
    """Publish or withdraw a draft, once whoever does so was told what that brings about."""
    row = visible_rows.environment(
        project_by_slug(project, request.actor), environment, request.actor
    )
    revision = visible_rows.policy(row, number, request.actor)
    if asked := ask_before_deciding(request, row, revision):
        return asked
    if request.POST.get("do") == "publish":
        now_active = publish_policy(revision, assertion=assertion_of(request), actor=request.actor)
        messages.success(request, published(now_active))
    else:
        withdraw_policy(revision, actor=request.actor)
    return back(request)


def ask_before_deciding(
    request: PageRequest, environment: Environment, revision: PolicyRevision
) -> HttpResponse | None:
    """Return the page that asks whether to publish or withdraw, for who has not answered: the
    dialog asks where there is JavaScript. Who may not is asked nothing: they are refused."""
    do: Deciding = "publish" if request.POST.get("do") == "publish" else "withdraw"
    able = may(request.actor, "policy.publish" if do == "publish" else "policy.draft", environment)
    if request.POST.get(SURE) or revision.state != PolicyState.DRAFT or not able:
        return None
    asked = Question(do, revision, current_policy(environment), environment.name)
    said = {"title": asked.title, "said": asked.says, "submit": asked.submit, "tone": asked.tone}
    return show(request, "sure", **said, do=do, action=request.path, here=page_of(request))


@action
def freeze(request: PageRequest, project: str, environment: str) -> HttpResponse:
    """Freeze an environment from now on."""
    row = visible_rows.environment(
        project_by_slug(project, request.actor), environment, request.actor
    )
    set_freeze(row, reason=request.POST.get("reason", ""), starts_at=now(), actor=request.actor)
    return back(request)


@action
def lift(request: PageRequest, freeze_id: str) -> HttpResponse:
    """End a freeze."""
    rows = visible(Freeze.objects.select_related("environment__project"), request.actor)
    row = rows.filter(pk=freeze_id).first()
    if row is None:
        raise NotFound
    lift_freeze(row, actor=request.actor)
    return back(request)
