"""What every page's view goes through: sign-in, the actor, and refusals as sentences."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from placet.kernel.actor import Actor
from placet.kernel.problems import Problem

P = ParamSpec("P")


class PageRequest(HttpRequest):
    """A request that went through the actor middleware."""

    actor: Actor


View = Callable[Concatenate[PageRequest, P], HttpResponse]


def page(view: View[P]) -> View[P]:
    """Make ``view`` a page that one reads: signed in, GET only."""
    return require_http_methods(["GET", "HEAD"])(login_required(view))


def action(view: View[P]) -> View[P]:
    """Make ``view`` the target of a form: signed in, POST only.

    A refusal becomes a message on the page that the form was on; nothing the person typed in a
    text field is lost, because browsers keep it on going back.
    """

    @wraps(view)
    def guarded(request: PageRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except Problem as problem:
            if problem.status in (401, 404):
                raise
            messages.error(request, sentence(problem))
            return back(request)

    return cast("View[P]", require_http_methods(["POST"])(login_required(guarded)))


def sentence(problem: Problem) -> str:
    """Return a refusal as one line of text: what, and for which fields."""
    fields = "; ".join(f"{e.pointer.lstrip('/')}: {e.detail}" for e in problem.errors)
    return f"{problem.detail} ({fields})" if fields else problem.detail


def back(request: HttpRequest) -> HttpResponseRedirect:
    """Return to the page that the form was on, which the form names in ``next``."""
    target = request.POST.get("next", "/")
    safe = target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return redirect(target if safe else "/")


def show(request: HttpRequest, template: str, /, **context: Any) -> HttpResponse:
    """Render ``console/<template>.html``."""
    return render(request, f"console/{template}.html", context)
