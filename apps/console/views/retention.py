"""How long bodies of events stay, legal holds, and archives."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.assurance.actions import lift_hold, place_hold, set_retention
from apps.assurance.models import HoldScope
from apps.console.queries.retention import retention_page
from apps.console.views.base import PageRequest, action, fault_of, page, show
from apps.console.views.fields import whole
from apps.identity.errors import Reauthenticate
from placet.kernel.problems import Problem


@page
def retention(request: PageRequest) -> HttpResponse:
    """Show the rule, the holds and the archives."""
    return retention_form(request)


def retention_form(request: PageRequest, fault: str = "") -> HttpResponse:
    """Show the page; with ``fault`` the form that was refused is filled in as it was."""
    return show(
        request,
        "retention",
        page=retention_page(request.actor),
        scopes=HoldScope.choices,
        fault=fault,
        typed=request.POST,
    )


@action
def set_rule(request: PageRequest) -> HttpResponse:
    """Set after how many days events may be archived."""
    set_retention(days=whole(request, "days"), actor=request.actor)
    return redirect("retention")


@action
def place(request: PageRequest) -> HttpResponse:
    """Place a hold; a refusal shows the form again as it was."""
    sent = request.POST
    try:
        row = place_hold(
            name=sent.get("name", "").strip(),
            scope=sent.get("scope", ""),
            subject=sent.get("subject", "").strip(),
            reason=sent.get("reason", ""),
            actor=request.actor,
        )
    except Reauthenticate:
        raise
    except Problem as problem:
        return retention_form(request, fault_of(problem))
    messages.success(request, f"The hold {row.name} is placed")
    return redirect("retention")


@action
def lift(request: PageRequest, hold_id: str) -> HttpResponse:
    """Lift a hold that somebody else placed."""
    lift_hold(hold_id, reason=request.POST.get("reason", ""), actor=request.actor)
    return redirect("retention")
