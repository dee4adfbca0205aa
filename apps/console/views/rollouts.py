"""A rollout, and what people do to it while it is under way."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.queries.rollouts import rollout_view
from apps.console.views.base import PageRequest, action, back, page, show
from apps.rollouts.actions import abort, pause, promote, resume, retry, ship, skip
from apps.rollouts.queries import get_rollout
from placet.kernel.problems import NotFound

# verb → what is done, whether it takes the step that was shown, title, and what happens then
VERBS: dict[str, tuple[Callable[..., Any], bool, str, str]] = {
    "resume": (resume, True, "Go on", "The next step begins."),
    "pause": (pause, False, "Pause", "No further step begins until somebody goes on. The present"
              " weights stay."),
    "skip": (skip, True, "Skip this step", "The next step begins now."),
    "promote": (promote, False, "Promote", "The new revision gets all requests now, or as soon as"
                " it is ready, past every step."),
    "ship": (ship, True, "Ship", "The new revision gets all requests. You approve what its A/B test"
             " has shown."),
    "retry": (retry, False, "Try again", "It goes out from the first step, on the approval that it"
              " has. Every gate is asked again."),
}  # fmt: skip


# the name in series.js, and the title
PANELS = (("weight", "Share of the new revision"), ("errors", "Errors"), ("latency", "Latency"),
          ("requests", "Requests a second"))  # fmt: skip


@page
def rollout(request: PageRequest, rollout_id: str) -> HttpResponse:
    """Show one rollout; all but its dialogs renews itself while it is open."""
    view = rollout_view(request.actor, rollout_id)
    template = "parts/rollout_now" if request.headers.get("HX-Request") else "rollout"
    verbs = [(verb, title, says, shown) for verb, (_, shown, title, says) in VERBS.items()]
    return show(request, template, view=view, rollout=view.rollout, verbs=verbs, panels=PANELS)


@action
def control(request: PageRequest, rollout_id: str, step_verb: str) -> HttpResponse:
    """Pause, resume, skip, promote or retry."""
    if step_verb not in VERBS:
        raise NotFound
    act, shown, _, _ = VERBS[step_verb]
    step = request.POST.get("step", "")
    number = int(step) if step.removeprefix("-").isdecimal() and len(step) < 4 else -2
    more = {"step": number} if shown else {}
    reason = request.POST.get("reason", "")
    done = act(get_rollout(rollout_id, request.actor), reason=reason, actor=request.actor, **more)
    return redirect("rollout", done.pk)


@action
def abort_rollout(request: PageRequest, rollout_id: str) -> HttpResponse:
    """Stop a rollout and keep what serves."""
    found = get_rollout(rollout_id, request.actor)
    abort(found, reason=request.POST.get("reason", ""), actor=request.actor)
    messages.success(request, "All requests go to the old revision again.")
    return back(request)
