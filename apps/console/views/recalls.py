"""Recalls: what they would reach, what they did, and what nodes have confirmed."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.assurance.actions import lift, recall
from apps.assurance.models import EffectState, RecallKind, RecallState
from apps.assurance.queries import effects_of, get_recall
from apps.assurance.queries.named_items import named_item, recallable
from apps.assurance.queries.outcomes import RECALL_STATES
from apps.console.queries.recall_form import demand_recall, may_recall, recall_form
from apps.console.queries.recalls import after_lifting, recall_list_page, recall_page
from apps.console.queries.sorting import RECALLS
from apps.console.templatetags.placet import state_word
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.filters import project_options, refused
from apps.console.views.lists import show_list
from placet.kernel.problems import FieldError, InvalidInput, Problem


@page
def recalls(request: PageRequest) -> HttpResponse:
    """List what was recalled."""
    states = [(value, state_word(value)) for value in RecallState.values]
    given = request.GET.get("state", "")
    state = RECALL_STATES.get(given.lower(), given)
    taken = [*states, (given, "")] if state in RecallState.values else states
    offered = {"project": project_options(request), "state": lambda: taken}
    if answer := refused(request, "Recalls", **offered):
        return answer
    narrowed = {"project": request.GET.get("project", ""), "state": state}
    after = request.GET.get("after", "")
    sorting = RECALLS.of(request.GET.get("sort", ""))
    listed, key = recall_list_page(request.actor, **narrowed, sorting=sorting, after=after)
    return show_list(
        request,
        "recalls",
        sorting=sorting,
        page=listed,
        key=key,
        **narrowed,
        states=states,
        may_recall=may_recall(request.actor),
    )


@page
def recall_new(request: PageRequest) -> HttpResponse:
    """Show the form; once it says what, also what that would reach."""
    demand_recall(request.actor)
    typed = {name: request.GET.get(name, "") for name in ("kind", "what", "project")}
    typed["kind"] = typed["kind"] if typed["kind"] in RecallKind.values else ""
    try:
        form, fault = recall_form(request.actor, **typed), ""
    except Problem as problem:
        fault = problem.detail if problem.status == 404 else fault_of(problem)
        form = recall_form(request.actor)
    return show(request, "recall_new", form=form, typed=typed, fault=fault)


@action
def recall_create(request: PageRequest) -> HttpResponse:
    """Recall what the form says."""
    kind = request.POST.get("kind", "")
    if kind not in RecallKind.values:
        raise InvalidInput(errors=[FieldError("/kind", "Choose what to recall")])
    item = named_item(
        request.actor,
        recallable(request.actor),
        kind=kind,
        what=request.POST.get("what", ""),
        project=request.POST.get("project", ""),
    )
    row = recall(
        kind=kind,
        what=item.what,
        reason=request.POST.get("reason", ""),
        project=item.project,
        actor=request.actor,
    )
    ran = effects_of(row).exclude(state=EffectState.NEVER_RAN).exists()
    messages.success(
        request, f"Recalled.{' Confirmations by nodes are listed below.' if ran else ''}"
    )
    return redirect("recall", row.pk)


@page
def recall_detail(request: PageRequest, recall_id: str) -> HttpResponse:
    """Show a recall; what nodes answered renews itself, and all of it once it is withdrawn."""
    page_object = recall_page(recall_id, request.actor)
    template = "parts/recall_answers" if request.headers.get("HX-Request") else "recall"
    answer = show(request, template, page=page_object, recall=page_object.recall)
    answer["X-Page-State"] = page_object.recall.state
    return answer


@action
def recall_lift(request: PageRequest, recall_id: str) -> HttpResponse:
    """Lift somebody else's recall."""
    row = get_recall(recall_id, request.actor)
    lift(row, reason=request.POST.get("reason", ""), actor=request.actor)
    messages.success(request, f"Withdrawn. {after_lifting(row)}")
    return back(request)
