"""What every page's view goes through: sign-in, the actor, and refusals as sentences."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from apps.identity.errors import Reauthenticate
from apps.identity.sign_in.freshness import ask_again
from placet.errors import answer
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, Forbidden, InvalidInput, Problem
from placet_verify import canonical
from placet_verify.errors import Malformed

P = ParamSpec("P")


class StaleForm(Forbidden):
    """The form was made for another session than the one that sends it."""

    code, title = "stale_form", "This form is out of date"

    def __init__(self) -> None:
        super().__init__(
            "Nothing was done. Since its page was opened you signed out, or signed in again in "
            "another tab, or your browser keeps no cookies. Open it anew and send it again: what "
            "you typed is put back where your browser could keep it."
        )


class PageRequest(HttpRequest):
    """A request that went through the actor middleware."""

    actor: Actor


View = Callable[Concatenate[PageRequest, P], HttpResponse]


def page(view: View[P]) -> View[P]:
    """Make ``view`` a page that one reads: signed in, GET only."""
    return require_http_methods(["GET", "HEAD"])(login_required(view))


def action(view: View[P]) -> View[P]:
    """Make ``view`` the target of a form: signed in, POST only.

    A refusal becomes a message on the page that the form was on. A form with much to type catches
    its refusals itself and is shown again as it was sent (:func:`fault_of`). Whoever has to sign in
    or show first who they are comes back to that page, where ``typed.js`` puts back what was typed.
    """

    @wraps(view)
    def guarded(request: PageRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(page_of(request))
        try:
            refuse_null(request)
            return view(request, *args, **kwargs)
        except Reauthenticate:
            return ask_again(page_of(request))
        except Problem as problem:
            if problem.status in (401, 404):
                raise
            messages.error(request, sentence(problem))
            response = back(request)
            if problem.status == 403:
                response.refusal = problem.code  # type: ignore[attr-defined]
            return response

    return cast("View[P]", require_http_methods(["POST"])(guarded))


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose token does not fit the session any more, with the way back to it.

    A form of the admin is on the very page that it is sent to.
    """
    own = request.path if request.path.startswith("/admin/") else ""
    return answer(request, StaleForm(), back_to=page_of(request) if "next" in request.POST else own)


def refuse_null(request: HttpRequest) -> None:
    """Refuse the one character that no text in the database can hold."""
    for name, values in request.POST.lists():
        if "\x00" in name or any("\x00" in value for value in values):
            raise InvalidInput("A null character cannot be stored: remove it")


def assertion_of(request: HttpRequest) -> dict[str, Any] | None:
    """Return a passkey's answer, as ``passkey.js`` puts it into a form; ``None`` without one."""
    text = request.POST.get("assertion", "")
    if not text:
        return None
    try:
        assertion = canonical.loads(text)
    except Malformed as fault:
        raise InvalidInput(errors=[FieldError("/assertion", fault.sentence)]) from None
    if not isinstance(assertion, dict):
        raise InvalidInput(errors=[FieldError("/assertion", "This is no passkey's answer")])
    return assertion


def sentence(problem: Problem) -> str:
    """Return a refusal as one line of text: what, and for which fields."""
    fields = "; ".join(f"{e.pointer.lstrip('/')}: {e.detail}" for e in problem.errors)
    return f"{problem.detail} ({fields})" if fields else problem.detail


def fault_of(problem: Problem) -> str:
    """Return a refusal as the sentence beside the form that it came from, filled in as it was.

    What no other text in the form would change is raised again: not signed in, not allowed, hidden.
    """
    if problem.status in (401, 403, 404):
        raise problem
    return sentence(problem)


def back(request: HttpRequest) -> HttpResponseRedirect:
    """Return to the page that the form was on."""
    return redirect(page_of(request))


def page_of(request: HttpRequest) -> str:
    """Return the page that the form was on, which the form names in ``next``."""
    target = request.POST.get("next", "/")
    safe = target.startswith("/") and url_has_allowed_host_and_scheme(target, allowed_hosts=None)
    return target if safe else "/"


def show(request: HttpRequest, template: str, /, **context: Any) -> HttpResponse:
    """Render ``console/<template>.html``."""
    return render(request, f"console/{template}.html", context)
