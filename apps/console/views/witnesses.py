"""Who witnesses the log, and which logs this installation witnesses."""

from django.http import HttpResponse
from django.shortcuts import redirect

from apps.audit.actions.cosigning import forget_log, witness_log
from apps.audit.actions.witnesses import RETAIN_DAYS, add_witness, remove_witness
from apps.audit.models import WitnessKind
from apps.console.queries.witnesses import witness_list_page
from apps.console.views.base import PageRequest, action, back, fault_of, page, show
from apps.console.views.fields import whole_or_none
from placet.kernel.problems import Problem


@page
def witnesses(request: PageRequest) -> HttpResponse:
    """Show both lists and the keys that others are given."""
    return witness_list(request)


def witness_list(request: PageRequest, fault: str = "") -> HttpResponse:
    """Show the page; with ``fault`` the form that was refused is filled in as it was."""
    return show(
        request,
        "witnesses",
        page=witness_list_page(request.actor),
        kinds=WitnessKind.choices,
        fault=fault,
        typed=request.POST,
        days=RETAIN_DAYS,
    )


@action
def add(request: PageRequest) -> HttpResponse:
    """Add a witness; a refusal shows the form again as it was."""
    sent = request.POST
    try:
        add_witness(
            name=sent.get("name", "").strip(),
            kind=sent.get("kind", ""),
            address=sent.get("address", "").strip(),
            key=sent.get("key", "").strip(),
            retain_days=whole_or_none(request, "retain_days") or 0,
            actor=request.actor,
        )
    except Problem as problem:
        return witness_list(request, fault_of(problem))
    return redirect("witnesses")


@action
def remove(request: PageRequest, witness_id: str) -> HttpResponse:
    """Take a witness away."""
    remove_witness(witness_id, actor=request.actor)
    return back(request)


@action
def add_log(request: PageRequest) -> HttpResponse:
    """Begin to witness a log of others."""
    witness_log(key=request.POST.get("key", "").strip(), actor=request.actor)
    return redirect("witnesses")


@action
def remove_log(request: PageRequest, log_id: str) -> HttpResponse:
    """Witness a log no more."""
    forget_log(log_id, actor=request.actor)
    return back(request)
