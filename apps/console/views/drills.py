"""Rollback drills on the page of an endpoint."""

from django.contrib import messages
from django.http import HttpResponse

from apps.console.views.base import PageRequest, action, back
from apps.console.views.fields import whole, whole_or_none
from apps.rollouts.actions import run_drill, schedule_drills, unschedule_drills
from apps.serving.queries import get_endpoint


@action
def run(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Run a drill now."""
    run_drill(get_endpoint(endpoint_id, request.actor), actor=request.actor)
    messages.success(request, "The rollback test runs: its result is here in about half a minute.")
    return back(request)


@action
def schedule(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Set or end the schedule; the form names the one that it showed."""
    endpoint = get_endpoint(endpoint_id, request.actor)
    if request.POST.get("do") == "remove":
        read = whole(request, "generation")
        unschedule_drills(endpoint, if_generation=read, actor=request.actor)
        messages.success(request, "No more rollback tests are scheduled.")
        return back(request)
    row = schedule_drills(
        endpoint,
        every_days=whole(request, "every_days"),
        hour=whole(request, "hour"),
        actor=request.actor,
        if_generation=whole_or_none(request, "generation"),
    )
    messages.success(
        request, f"The next rollback test runs on {row.next_at:%Y-%m-%d at %H:%M} UTC."
    )
    return back(request)
