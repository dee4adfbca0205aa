"""Who is asking: a person in a session, or the holder of a token."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import CSRFCheck

from apps.identity.actions import note_token_use
from apps.identity.errors import BadToken, CsrfFailed
from apps.identity.middleware.forms import long_form
from apps.identity.queries import actor_for_user
from apps.identity.sign_in.bearers import bearer
from placet.errors import answer
from placet.kernel.actor import ANONYMOUS, Actor
from placet.kernel.api.errors import render
from placet.kernel.multipart import read_form
from placet.kernel.problems import Problem

GetResponse = Callable[[HttpRequest], HttpResponse]
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class ActorMiddleware:
    """Sets ``request.actor`` from ``Authorization: Bearer plc_…`` or the browser session.

    A token that opens nothing is answered here with 401 and its reason, whatever session there
    is. A token is not subject to CSRF; a session that writes to the API is.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Resolve the actor and pass on."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        has_token = scheme.lower() == "bearer"
        try:
            actor = by_token(text.strip()) if has_token else by_session(request)
        except BadToken as refusal:
            return render(refusal, request)
        request.actor = actor  # type: ignore[attr-defined]
        request.parse_file_upload = partial(read_form, request)  # type: ignore[method-assign]
        try:
            with long_form(request, actor):
                return self._pass_on(request, actor, has_token)
        except Problem as refusal:  # of the form: what a view refuses is answered below
            return answer(request, refusal)

    def _pass_on(self, request: HttpRequest, actor: Actor, has_token: bool) -> HttpResponse:
        if has_token:
            request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        elif reason := csrf_fault(request, actor):
            return render(CsrfFailed(reason), request)
        return self.get_response(request)


def by_token(text: str) -> Actor:
    """Return who acts by ``text`` and note the use (one query, and one write a minute)."""
    caller = bearer(text)
    note_token_use(caller.token, caller.last_used_at)
    return caller.actor


def by_session(request: HttpRequest) -> Actor:
    """Return the person of the session; nobody is looked up without a session cookie."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or is_of_another_page(request):
        return ANONYMOUS
    if not request.user.is_authenticated:
        return ANONYMOUS
    return actor_for_user(request.user, request.session)


def is_of_another_page(request: HttpRequest) -> bool:
    """Tell whether a page of another origin asks in its reader's browser, and does not lead them
    here.

    Cookies go with what a page at a host beside ours loads, a model's too: it cannot read the
    answer, but some questions are logged in the reader's name (Fetch Metadata, W3C).
    """
    if request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
        return False
    names = ("Sec-Fetch-Mode", "Sec-Fetch-Dest")
    return [request.headers.get(name) for name in names] != ["navigate", "document"]


def csrf_fault(request: HttpRequest, actor: Actor) -> str:
    """Return why a session's write to the API fails the CSRF check, '' when it does not.

    Pages are checked by Django's own middleware; DRF exempts its views from that.
    """
    if actor is ANONYMOUS or request.method in SAFE or not request.path_info.startswith("/api/"):
        return ""
    check = CSRFCheck(lambda _request: HttpResponse())
    check.process_request(request)
    reason: Any = check.process_view(request, lambda _request: HttpResponse(), (), {})
    return str(reason or "")
