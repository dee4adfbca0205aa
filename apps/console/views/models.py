"""Models, a model, a version, a comparison."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.builds.actions import request_build
from apps.console.queries import models as queries
from apps.console.queries.comparison import checks_of, compared_parts, diff_lines, origin_of
from apps.console.queries.draft.rows import value_of
from apps.console.queries.sorting import MODELS, VERSIONS
from apps.console.queries.version_page import version_page
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.discarded import leads_on
from apps.console.views.fields import read_whole
from apps.console.views.filters import project_options, refused
from apps.console.views.lists import show_list
from apps.registry.actions import (
    add_evidence,
    create_model,
    finalise,
    set_alias,
    set_card,
    set_tags,
)
from apps.registry.queries import compare as compare_versions
from apps.registry.usage import bytes_kept
from placet.kernel.problems import NotFound, Problem


@page
def models(request: PageRequest) -> HttpResponse:
    """List the models."""
    if answer := refused(request, "Models", project=project_options(request)):
        return answer
    return model_list(request)


def model_list(request: PageRequest, fault: str = "") -> HttpResponse:
    """Show the list; with ``fault`` also the form that was refused, filled in as it was."""
    search, project = request.GET.get("q", ""), request.GET.get("project", "")
    sorting, after = MODELS.of(request.GET.get("sort", "")), request.GET.get("after", "")
    rows, key = queries.model_list_page(
        request.actor, search=search, project=project, sorting=sorting, after=after
    )
    projects = queries.projects_of(request.actor)
    return show_list(
        request,
        "models",
        sorting=sorting,
        page=queries.ModelListPage(request.actor, projects, rows, search, project, request.POST),
        fault=fault,
        project=project,
        key=key,
    )


@action
def new_model(request: PageRequest) -> HttpResponse:
    """Create a model from the form on the list; a refusal shows it again as it was."""
    projects = {p.slug: p for p in queries.projects_of(request.actor)}
    project = projects.get(request.POST.get("project", ""))
    if project is None:
        raise NotFound
    try:
        row = create_model(
            project,
            name=request.POST.get("name", ""),
            description=request.POST.get("description", ""),
            actor=request.actor,
        )
    except Problem as problem:
        return model_list(request, fault_of(problem))
    return redirect("model", project.slug, row.name)


@page
def model(request: PageRequest, project: str, name: str) -> HttpResponse:
    """Show a model with its versions."""
    row = queries.model_of(project, name, request.actor)
    sorting, after = VERSIONS.of(request.GET.get("sort", "")), request.GET.get("after", "")
    rows, key = queries.version_list_page(row, sorting=sorting, after=after)
    kept = bytes_kept(row.project_id) if row.project.artifact_quota else None
    model_page = queries.ModelPage(row, rows, kept, request.actor)
    return show(request, "model", model=row, page=model_page, sorting=sorting, key=key, after=after)


@page
@leads_on("number")
def version(request: PageRequest, project: str, name: str, number: int) -> HttpResponse:
    """Show a version: what it is, what is missing, where it runs."""
    row = queries.version_of(project, name, number, request.actor)
    return show(request, "version", page=version_page(row, request.actor), version=row)


@page
def compare(request: PageRequest, project: str, name: str) -> HttpResponse:
    """Show two versions side by side."""
    read = {read_whole(text) for text in request.GET.getlist("v")}
    numbers = sorted(number for number in read if number is not None)
    if len(numbers) != 2:
        messages.info(request, f"Select two versions to compare: {len(numbers)} selected.")
        return redirect("model", project, name)
    a, b = (queries.version_of(project, name, n, request.actor) for n in numbers)
    comparison = compare_versions(a, b, request.actor)
    return show(
        request,
        "compare",
        a=a,
        b=b,
        comparison=comparison,
        parts=[checks_of((a, b)), origin_of(comparison), *compared_parts(comparison)],
        card=diff_lines(comparison.card),
    )


@action
@leads_on("number")
def build(request: PageRequest, project: str, name: str, number: int) -> HttpResponse:
    """Start a build and go to its log."""
    row = queries.version_of(project, name, number, request.actor)
    accelerate = request.POST.get("accelerate") == "yes"
    started = request_build(row, accelerate=accelerate, actor=request.actor)
    return redirect("build", started.pk)


@action
@leads_on("number")
def finalise_version(request: PageRequest, project: str, name: str, number: int) -> HttpResponse:
    """Freeze a draft."""
    finalise(queries.version_of(project, name, number, request.actor), actor=request.actor)
    messages.success(request, "Finalised: files and metadata are now frozen.")
    return back(request)


@action
@leads_on("number")
def alias(request: PageRequest, project: str, name: str, number: int) -> HttpResponse:
    """Point an alias at this version."""
    row = queries.version_of(project, name, number, request.actor)
    set_alias(row.model, name=request.POST.get("alias", ""), version=row, actor=request.actor)
    return back(request)


@action
@leads_on("number")
def tags(request: PageRequest, project: str, name: str, number: int) -> HttpResponse:
    """Replace the tags: one ``name: value`` on each line, or a name alone."""
    row = queries.version_of(project, name, number, request.actor)
    lines = [line.partition(":") for line in request.POST.get("tags", "").splitlines()]
    wanted = {key.strip(): value.strip() for key, _, value in lines if key.strip()}
    set_tags(row, tags=wanted, actor=request.actor)
    return back(request)


@action
@leads_on("number")
def metrics(request: PageRequest, project: str, name: str, number: int) -> HttpResponse:
    """Report metrics: one ``name: value`` on each line."""
    row = queries.version_of(project, name, number, request.actor)
    lines = [line.partition(":") for line in request.POST.get("metrics", "").splitlines()]
    data = {key.strip(): value_of(value) for key, _, value in lines if key.strip()}
    if data != queries.newest_metrics([row]).get(row.pk):
        add_evidence(row, kind="metrics", data=data, actor=request.actor)
    return back(request)


@action
@leads_on("number")
def card(request: PageRequest, project: str, name: str, number: int) -> HttpResponse:
    """Replace the model card."""
    row = queries.version_of(project, name, number, request.actor)
    set_card(row, card=request.POST.get("card", ""), actor=request.actor)
    return back(request)
