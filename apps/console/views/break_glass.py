"""Breaking the glass: opening one, confirming it, ending it, and its review."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.queries.break_glass_page import break_glass_page
from apps.console.queries.break_glasses import BreakGlassListPage, break_glass_list_page
from apps.console.queries.models import projects_of
from apps.console.templatetags.placet import sees_a_part
from apps.console.views.base import PageRequest, action, assertion_of, page, show
from apps.console.views.fields import whole
from apps.console.views.filters import project_options, refused
from apps.governance.actions import (
    confirm_break_glass,
    end_break_glass,
    open_break_glass,
    review_break_glass,
)
from apps.governance.queries.break_glass import get_break_glass
from apps.governance.queries.visible_rows import release, releases
from apps.governance.rules import BreakGlassState, ReviewState

REVIEWS = (
    (ReviewState.OPEN, "Review open"),
    (ReviewState.OVERDUE, "Review overdue"),
    (ReviewState.CLOSED, "Reviewed"),
)


@page
def break_glass_list(request: PageRequest) -> HttpResponse:
    """List break-glasses, newest first."""
    asked = request.GET.get("release", "")
    offered = {
        "project": project_options(request),
        "review": lambda: REVIEWS,
        "release": lambda: [(row.pk, str(row)) for row in releases(request.actor).filter(pk=asked)],
    }
    if answer := refused(request, "Emergency releases", **offered):
        return answer
    filters = {name: request.GET.get(name, "") for name in offered}
    before = request.GET.get("after", "")
    rows, key = break_glass_list_page(request.actor, before=before, **filters)
    return show(
        request,
        "break_glass_uses",
        page=BreakGlassListPage(
            rows,
            bool(filters["release"]),
            any(filters.values()),
            sees_a_part(request.actor, "release.view"),
        ),
        key=key,
        after=before,
        reviews=REVIEWS,
        projects=projects_of(request.actor),
        **filters,
    )


@page
def break_glass_detail(request: PageRequest, glass_id: str) -> HttpResponse:
    """Show a break-glass: who, why, until when, what runs by it, and its review."""
    page_object = break_glass_page(glass_id, request.actor)
    return show(
        request,
        "break_glass",
        frame=page_object.glass.release.project_id,
        page=page_object,
        view=page_object.view,
        glass=page_object.glass,
        release=page_object.glass.release,
    )


@action
def open_one(request: PageRequest, release_id: str) -> HttpResponse:
    """Open a break-glass for a release."""
    glass = open_break_glass(
        release(release_id, request.actor),
        statement_digest=request.POST.get("statement_digest", ""),
        reason=request.POST.get("reason", ""),
        hours=whole(request, "hours"),
        assertion=assertion_of(request),
        actor=request.actor,
    )
    messages.success(request, "Started. It takes effect once co-signed.")
    return redirect("glass", glass.pk)


@action
def confirm(request: PageRequest, glass_id: str) -> HttpResponse:
    """Confirm what somebody else opened."""
    row = confirm_break_glass(
        get_break_glass(glass_id, request.actor),
        opening_digest=request.POST.get("opening_digest", ""),
        comment=request.POST.get("comment", ""),
        assertion=assertion_of(request),
        actor=request.actor,
    )
    broken = row.state == BreakGlassState.CONFIRMED
    words = "Emergency release active: the release is approved." if broken else "Co-signed."
    messages.success(request, words)
    return redirect("glass", glass_id)


@action
def end(request: PageRequest, glass_id: str) -> HttpResponse:
    """End a break-glass before its time."""
    end_break_glass(get_break_glass(glass_id, request.actor), actor=request.actor)
    messages.success(request, "Ended. It can no longer start a rollout.")
    return redirect("glass", glass_id)


@action
def review(request: PageRequest, glass_id: str) -> HttpResponse:
    """Close the review of a break-glass."""
    review_break_glass(
        get_break_glass(glass_id, request.actor),
        finding=request.POST.get("finding", ""),
        findings=request.POST.get("findings", ""),
        actor=request.actor,
    )
    messages.success(request, "Review closed.")
    return redirect("glass", glass_id)
