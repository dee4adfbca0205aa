"""A rollout, and what people do to it while it is under way."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.queries.rollout_page import VERBS, rollout_page
from apps.console.queries.rollout_says import after_abort
from apps.console.views.base import PageRequest, action, back, page, show
from apps.console.views.fields import whole
from apps.rollouts.actions import abort, pause, promote, resume, retry, ship, skip
from apps.rollouts.queries import get_rollout
from placet.kernel.problems import NotFound

# verb → what is done; what people read before is in the page's VERBS
ACTS: dict[str, Callable[..., Any]] = {
    "resume": resume,
    "pause": pause,
    "skip": skip,
    "promote": promote,
    "ship": ship,
    "retry": retry,
}
STEPWISE = {verb.name for verb in VERBS if verb.takes_step}
NO_STEP = -1  # the place of the step before the first


@page
def rollout(request: PageRequest, rollout_id: str) -> HttpResponse:
    """Show one rollout; all but its dialogs renews itself while it is open."""
    page_object = rollout_page(rollout_id, request.actor)
    part = bool(request.headers.get("HX-Request"))
    return show(
        request,
        "parts/rollout_now" if part else "rollout",
        frame=page_object.rollout.project_id,
        page=page_object,
        view=page_object.view,
        rollout=page_object.rollout,
        panels=page_object.panels,
        renewed=part and not page_object.view.is_open,  # its heading says that it ended, too
    )


@action
def control(request: PageRequest, rollout_id: str, step_verb: str) -> HttpResponse:
    """Pause, resume, skip, promote or retry."""
    if step_verb not in ACTS:
        raise NotFound
    reason, row = request.POST.get("reason", ""), get_rollout(rollout_id, request.actor)
    more = {"step": whole(request, "step", least=NO_STEP)} if step_verb in STEPWISE else {}
    done = ACTS[step_verb](row, reason=reason, actor=request.actor, **more)
    return redirect("rollout", done.pk)


@action
def abort_rollout(request: PageRequest, rollout_id: str) -> HttpResponse:
    """Stop a rollout and keep what serves."""
    row = get_rollout(rollout_id, request.actor)
    abort(row, reason=request.POST.get("reason", ""), actor=request.actor)
    messages.success(request, f"Aborted. {after_abort(row)}")
    return back(request)
