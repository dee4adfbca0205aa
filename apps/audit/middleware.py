"""Logs refused writes, whoever refused them."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from apps.audit.actions import log_denied
from placet.kernel.actor import ANONYMOUS, Actor
from placet.kernel.ids import is_id

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
log = structlog.get_logger(__name__)


class DeniedMiddleware:
    """Stands after the middleware that sets ``request.actor``; looks at the answer's status.

    A page that turns a refusal into a message says its code in the answer's ``refusal``.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on, and log a refused write by somebody who is known."""
        response = self.get_response(request)
        refused = response.status_code == 403 or hasattr(response, "refusal")
        if refused and request.method in WRITES:
            actor: Actor = getattr(request, "actor", ANONYMOUS)
            if actor.kind in ("person", "service"):
                note(request, response, actor)
        return response


def note(request: HttpRequest, response: HttpResponse, actor: Actor) -> None:
    """Log the refusal; the answer goes out even when that fails."""
    match = request.resolver_match
    route = match.route if match else ""
    values = [str(v) for v in match.kwargs.values()] if match else []
    body = getattr(response, "data", None)
    told = getattr(response, "refusal", "forbidden")
    code = str(body.get("code", told)) if isinstance(body, dict) else told
    try:
        log_denied(
            actor,
            code,
            route,
            method=request.method or "",
            subject=next((value for value in values if is_id(value)), ""),
        )
    except Exception:
        log.exception("denial_not_logged")
