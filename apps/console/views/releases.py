"""The inbox, a release, asking for one, and deciding."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect

from apps.builds.models import Bento
from apps.console.context import waiting
from apps.console.queries.empty_lists import empty_releases
from apps.console.queries.release_attempts import release_attempts_page
from apps.console.queries.release_behaviour import release_behaviour_page
from apps.console.queries.release_evidence import release_evidence_page, release_tabs
from apps.console.queries.release_page import release_page
from apps.console.queries.release_records import decision_page
from apps.console.queries.release_rows import (
    ReleaseFilters,
    environment_choices,
    release_choices,
    release_list_page,
)
from apps.console.queries.releases import request_choices
from apps.console.queries.request_again import AS_FORMER, as_requested, former, with_former
from apps.console.queries.request_form import RequestForm
from apps.console.queries.sorting import RELEASES
from apps.console.views.base import PageRequest, action, assertion_of, fault_of, page, show
from apps.console.views.filters import project_options, refused
from apps.console.views.lists import act_on_each, show_list
from apps.console.views.release_form import faults_of, marks_of, serving_of, variables_of
from apps.console.views.reviewers import reviewers_of
from apps.discussions.actions import named_elsewhere
from apps.governance.actions import (
    comment,
    decide,
    request_release,
    withdraw,
    withdraw_changes,
)
from apps.governance.models import Environment, Release
from apps.governance.plan import Plan
from apps.governance.queries import visible_rows
from apps.governance.queries.visible_rows import environments, release
from apps.registry.models import ModelVersion
from apps.registry.queries import version_by_id
from apps.rollouts.actions import start_rollout
from apps.serving.models import Target
from apps.serving.queries import visible_targets
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NotFound, Problem
from placet_verify.statements import APPROVE, REJECT, REQUEST_CHANGES

DECIDED = {
    APPROVE: "Approved. Your decision is signed and logged.",
    REQUEST_CHANGES: "Changes requested: the release is held until you decide again.",
    REJECT: "Rejected.",
}


@page
def release_list(request: PageRequest) -> HttpResponse:
    """Show what waits on the reader, then every release they may see."""
    chosen = release_choices(request.actor, request.GET.get("project", ""))
    offered = {"project": project_options(request), **chosen}
    if answer := refused(request, "Releases", **offered):
        return answer
    filters, after = ReleaseFilters.of(request.GET), request.GET.get("after", "")
    sorting = RELEASES.of(request.GET.get("sort", ""))
    rows, key = release_list_page(filters, request.actor, sorting=sorting, after=after)
    nothing = ("", "") if rows else empty_releases(request.actor, filters.project)
    return show_list(
        request,
        "releases",
        sorting=sorting,
        inbox=waiting(request, request.actor),
        rows=rows,
        withdrawable=sum(row.may_withdraw for row in rows) > 1,
        key=key,
        filters=filters,
        **asdict(filters),
        environments=environment_choices(request.actor, filters.project),
        nothing=nothing,
    )


@page
def release_detail(request: PageRequest, release_id: str) -> HttpResponse:
    """Show a release as a person needs to see it before deciding."""
    page_object = release_page(release_id, request.actor)
    template = "parts/release_rollout" if request.headers.get("HX-Request") else "release"
    answer = show(
        request,
        template,
        frame=page_object.release.project_id,
        page=page_object,
        view=page_object.view,
        release=page_object.release,
        tabs=release_tabs(page_object.release, "release"),
    )
    # the page renews its head when it changed
    answer["X-Page-State"] = page_object.now.mark
    return answer


TABS: Mapping[str, Callable[[str, Actor], Any]] = {
    "evidence": release_evidence_page,
    "behaviour": release_behaviour_page,
    "attempts": release_attempts_page,
}


@page
def release_tab(request: PageRequest, release_id: str, tab: str) -> HttpResponse:
    """Show the evidence that a release is bound to and its model card, how its build behaved where
    it served before, or what became of earlier releases of the same version."""
    found = TABS[tab](release_id, request.actor)
    return show(
        request,
        f"release_{tab}",
        frame=found.release.project_id,
        page=found,
        release=found.release,
        tabs=release_tabs(found.release, f"release-{tab}"),
    )


@page
def release_decision(request: PageRequest, release_id: str, decision_id: str) -> HttpResponse:
    """Show what a release's page showed to who decided, beside what differs today."""
    found = decision_page(release_id, decision_id, request.actor)
    return show(
        request,
        "release_decision",
        frame=found.release.project_id,
        page=found,
        release=found.release,
        tabs=release_tabs(found.release, ""),
    )


def request_form(
    request: PageRequest,
    version: ModelVersion,
    typed: Mapping[str, Any],
    problem: Problem | None = None,
    earlier: Release | None = None,
) -> HttpResponse:
    """Show the form that asks for a release of ``version``, filled in as ``typed`` says, with what
    became of the ``earlier`` one that is asked for again."""
    faults = faults_of(problem, typed) if problem else {}
    offered = request_choices(version, request.actor)
    form = RequestForm(
        version=version,
        offered=offered,
        typed=typed,
        variables_typed=variables_of(typed),
        marks=marks_of(typed),
        reviewers_typed=typed.getlist("reviewers") if isinstance(typed, QueryDict) else (),
        problem=problem,
        rest=faults.pop("", []),
        faults=faults,
        former=former(earlier, offered) if earlier else None,
    )
    return show(
        request,
        "release_new",
        frame=version.project_id,
        version=version,
        form=form,
        faults=faults,
    )


@page
def ask(request: PageRequest) -> HttpResponse:
    """Show the form that asks for a release of one version, or for an earlier one again."""
    if again := request.GET.get("again"):
        earlier = release(again, request.actor, with_former)
        typed = as_requested(earlier)
        return request_form(request, earlier.version, typed, earlier=earlier)
    return request_form(request, version_by_id(request.GET.get("version", ""), request.actor), {})


@action
def request_new(request: PageRequest) -> HttpResponse:
    """Ask for the release that the form describes; a refusal shows it again as it was."""
    version = version_by_id(request.POST.get("version", ""), request.actor)
    try:
        asked = requested(request, version)
        _say_named(request, "reason")
        return redirect("release", asked.pk)
    except Problem as problem:
        fault_of(problem)  # raised again where no other text in the form would change it
        return request_form(request, version, request.POST, problem, _earlier(request, version))


def _earlier(request: PageRequest, version: ModelVersion) -> Release | None:
    """Read which release of ``version`` is asked for again; ``None`` for none that is seen."""
    with suppress(NotFound):
        earlier = release(request.POST.get("again", ""), request.actor, with_former)
        return earlier if earlier.version_id == version.pk else None
    return None


def requested(request: PageRequest, version: ModelVersion) -> Release:
    """Ask for the release that the form describes."""
    name = request.POST.get("environment", "")
    environment = environments(version.project, request.actor).filter(name=name).first()
    if environment is None:
        raise NotFound
    start = "on_approval" if request.POST.get("start") == "on_approval" else "manual"
    return request_release(
        version=version,
        environment=environment,
        endpoint=request.POST.get("endpoint", ""),
        bento=_bento(request, version),
        plan=_plan(request, environment, version) | {"start": start},
        serving=serving_of(request.POST),
        target=_target(request, environment),
        reason=request.POST.get("reason", ""),
        review=reviewers_of(request),
        actor=request.actor,
    )


def _bento(request: PageRequest, version: ModelVersion) -> Bento | None:
    """Read which Bento is asked for; what is left open is the newest."""
    digest = request.POST.get("bento", "")
    bento = Bento.objects.filter(version=version, pk=digest).first() if digest else None
    if digest and bento is None:
        detail = f"{digest[:80]} is not a build of {version}: choose one from the list"
        raise InvalidInput(errors=[FieldError("/bento", detail)])
    return bento


def _target(request: PageRequest, environment: Environment) -> Target | None:
    """Read on which target a new endpoint would stand; what is left open is the only one."""
    name = request.POST.get("target", "")
    target = visible_targets(request.actor).filter(name=name).first() if name else None
    if name and (target is None or not environment.targets.filter(pk=target.pk).exists()):
        detail = f"{environment.name} does not run on {name[:60]}: choose one of its targets"
        raise InvalidInput(errors=[FieldError("/target", detail)])
    return target


def _plan(request: PageRequest, environment: Environment, version: ModelVersion) -> dict[str, Any]:
    """Read the plan: that of the release that is asked for again, or one by its name; one that an
    environment has for itself is named with it."""
    earlier = _earlier(request, version) if request.POST.get("plan") == AS_FORMER else None
    if earlier is not None:
        return Plan.stored(earlier.plan).document
    owner, _, name = request.POST.get("plan", "replace").rpartition("/")
    if owner not in ("", environment.name):
        detail = f"{name} is a plan of {owner}: choose one that {environment.name} has"
        raise InvalidInput(errors=[FieldError("/plan", detail)])
    return {"preset": name}


@action
def decision(request: PageRequest, release_id: str) -> HttpResponse:
    """Approve, reject or ask for changes to what was shown."""
    row = release(release_id, request.actor)
    verdict = request.POST.get("verdict", "")
    decide(
        row,
        verdict=verdict,
        statement_digest=request.POST.get("statement_digest", ""),
        comment=request.POST.get("comment", ""),
        replaces=request.POST.get("replaces", ""),
        assertion=assertion_of(request),
        actor=request.actor,
    )
    messages.success(request, DECIDED[verdict])
    _say_named(request, "comment")
    return redirect("release", release_id)


@action
def remark(request: PageRequest, release_id: str) -> HttpResponse:
    """Add a comment."""
    text = request.POST.get("comment", "")
    comment(release(release_id, request.actor), text=text, actor=request.actor)
    _say_named(request, "comment")
    return redirect("release", release_id)


def _say_named(request: PageRequest, field: str) -> None:
    """Say whom a text names with an @ that mentions nobody there."""
    for each in named_elsewhere(request.POST.get(field, "")):
        messages.warning(request, each.sentence)


@action
def take_back(request: PageRequest, release_id: str) -> HttpResponse:
    """Withdraw one's request."""
    withdraw(release(release_id, request.actor), actor=request.actor)
    messages.success(request, "Withdrawn.")
    return redirect("release", release_id)


@action
def lift_changes(request: PageRequest, release_id: str) -> HttpResponse:
    """Withdraw one's own request for changes, the one that was shown."""
    own = visible_rows.decision(request.POST.get("replaces", ""), request.actor)
    withdraw_changes(own, actor=request.actor)
    messages.success(request, "Your request for changes is withdrawn.")
    return redirect("release", release_id)


@action
def take_back_each(request: PageRequest) -> HttpResponse:
    """Withdraw several requests of one's own."""
    return act_on_each(
        request,
        partial(release, actor=request.actor),
        partial(withdraw, actor=request.actor),
        one="release",
        done="withdrawn",
        called=lambda row: f"{row.project.name} {row.number}",
    )


@action
def roll_out(request: PageRequest, release_id: str) -> HttpResponse:
    """Start the rollout of an approved release."""
    start_rollout(release(release_id, request.actor), actor=request.actor)
    return redirect("release", release_id)
