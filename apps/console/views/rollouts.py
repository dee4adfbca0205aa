"""A rollout, and what people do to it while it is under way."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from apps.console.queries.rollout_page import VERBS, Verb, rollout_page
from apps.console.queries.rollout_says import after_abort
from apps.console.views.base import PageRequest, action, back, page, show
from apps.console.views.fields import whole
from apps.rollouts.actions import (
    abort,
    confirm_passing,
    decline_passing,
    pause,
    promote,
    resume,
    retry,
    ship,
    skip,
    withdraw_passing,
)
from apps.rollouts.queries import get_rollout
from placet.kernel.problems import NotFound

# verb → what is done; what people read before is in the page's VERBS
ACTS: dict[str, Callable[..., Any]] = {
    "resume": resume,
    "pause": pause,
    "skip": skip,
    "promote": promote,
    "confirm": confirm_passing,
    "decline": decline_passing,
    "withdraw": withdraw_passing,
    "ship": ship,
    "retry": retry,
}
BY_NAME = {verb.name: verb for verb in VERBS}
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
    """Pause, resume, skip, promote or retry; answer what a second person is asked for."""
    if step_verb not in ACTS:
        raise NotFound
    row = get_rollout(rollout_id, request.actor)
    done = ACTS[step_verb](row, actor=request.actor, **_given(request, BY_NAME[step_verb]))
    return redirect("rollout", done.pk)


def _given(request: PageRequest, verb: Verb) -> dict[str, Any]:
    """Return what its dialog says: why, and what was shown."""
    given: dict[str, Any] = {}
    if verb.takes_step:
        given["step"] = whole(request, "step", least=NO_STEP)
    if verb.takes_digest:
        given["digest"] = request.POST.get("digest", "")
    return given | ({"reason": request.POST.get("reason", "")} if verb.asks_why else {})


@action
def abort_rollout(request: PageRequest, rollout_id: str) -> HttpResponse:
    """Stop a rollout and keep what serves."""
    row = get_rollout(rollout_id, request.actor)
    abort(row, reason=request.POST.get("reason", ""), actor=request.actor)
    messages.success(request, f"Aborted. {after_abort(row)}")
    return back(request)
