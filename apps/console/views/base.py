"""What every page's view goes through: sign-in, the actor, and refusals as sentences."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods

from apps.console.addresses import page_above, page_of
from apps.console.queries.page_parts import counted
from apps.identity.errors import Reauthenticate
from apps.identity.sign_in.freshness import ask_again
from placet.errors import answer
from placet.kernel.actor import Actor
from placet.kernel.problems import (
    MAX_ERRORS,
    FieldError,
    Forbidden,
    InvalidInput,
    Problem,
)
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
    """Make ``view`` a page that one reads: signed in, GET only.

    A part of it that renews itself is told when its reader is signed out, and stays as it was.
    """

    @wraps(view)
    def shown(request: PageRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated and request.headers.get("HX-Request"):
            return HttpResponse(status=401)
        return login_required(view)(request, *args, **kwargs)

    read = require_http_methods(["GET", "HEAD"])(shown)
    setattr(read, "is_page", True)  # noqa: B010  (a function has no such field)
    return cast("View[P]", read)


def action(view: View[P]) -> View[P]:
    """Make ``view`` the target of a form: signed in, POST only. Who opens it comes to its page.

    A refusal becomes a message on the page that the form was on. A form with much to type catches
    its refusals itself and is shown again as it was sent (:func:`fault_of`); in the others, and for
    whoever has to sign in or show first who they are, ``typed.js`` puts back what was typed.
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

    return cast("View[P]", opened_at_its_page(require_http_methods(["POST"])(guarded)))


def opened_at_its_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Lead who opens the address of a form to the page that the form stands on."""

    @wraps(view)
    def led(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in ("GET", "HEAD"):
            return redirect(page_above(request.path))
        return view(request, *args, **kwargs)

    return led


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


def sentence(problem: Problem) -> SafeString:
    """Return a refusal for people: what, and each field at fault by its name.

    ``typed.js`` shows the latter beside the field, too.
    """
    fields = [(e.pointer.strip("/"), e.detail) for e in problem.errors[:MAX_ERRORS]]
    many = isinstance(problem, InvalidInput) and problem.detail == problem.title and fields
    said = f"Please fix {counted(len(fields), 'error')}" if many else problem.detail
    lines = format_html_join("", '<li data-fault-of="{0}">{0}: {1}</li>', fields)
    listed = format_html('<ul class="m-0">{}</ul>', lines) if fields else ""
    return format_html("<div data-refused>{}</div>{}", said, listed)


def fault_of(problem: Problem) -> SafeString:
    """Return a refusal as what stands beside the form that it came from, filled in as it was.

    What no other text in the form would change is raised again: not signed in, not allowed, hidden.
    """
    if problem.status in (401, 403, 404):
        raise problem
    return sentence(problem)


def back(request: HttpRequest) -> HttpResponseRedirect:
    """Return to the page that the form was on."""
    return redirect(page_of(request))


def show(
    request: HttpRequest, template: str, /, *, frame: str = "", **context: Any
) -> HttpResponse:
    """Render ``console/<template>.html``. ``frame`` is the id of the project that the page is about
    where its address does not say so."""
    if frame:
        setattr(request, "frame", frame)  # noqa: B010  (a request has no such field)
    return render(request, f"console/{template}.html", context)
