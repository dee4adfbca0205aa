"""Rollback drills on the page of an endpoint."""

from django.contrib import messages
from django.http import HttpResponse

from apps.console.views.base import PageRequest, action, back
from apps.rollouts.actions import run_drill, schedule_drills, unschedule_drills
from apps.serving.queries import get_endpoint


@action
def run(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Run a drill now."""
    run_drill(get_endpoint(endpoint_id, request.actor), actor=request.actor)
    messages.success(request, "The drill runs: its result is here in about half a minute.")
    return back(request)


@action
def schedule(request: PageRequest, endpoint_id: str) -> HttpResponse:
    """Set or end the schedule; the form names the one that it showed."""
    endpoint, generation = get_endpoint(endpoint_id, request.actor), _whole(request, "generation")
    if request.POST.get("do") == "remove":
        unschedule_drills(endpoint, if_generation=generation, actor=request.actor)
        messages.success(request, "No more drills run by themselves.")
        return back(request)
    days, hour = _whole(request, "every_days"), _whole(request, "hour")
    row = schedule_drills(
        endpoint,
        every_days=days,
        hour=hour,
        actor=request.actor,
        if_generation=None if generation < 0 else generation,
    )
    messages.success(request, f"The next drill runs on {row.next_at:%Y-%m-%d at %H:%M} UTC.")
    return back(request)


def _whole(request: PageRequest, name: str) -> int:
    """Return a field as a number; -1, which no field may be, when it is none."""
    text = request.POST.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 9 else -1
