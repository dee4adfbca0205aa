"""So many requests a minute for each token and for each person's sessions."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from placet.errors import answer
from placet.kernel.actor import Actor
from placet.kernel.config import config
from placet.kernel.problems import TooManyRequests
from placet.kernel.quota import WINDOW, Usage, meter

log = structlog.get_logger(__name__)


class QuotaMiddleware:
    """Refuses with 429 what goes over the quota, and says in each answer's headers what is left.

    Stands behind the middleware that sets ``request.actor``. A token has a quota of its own; all
    sessions of a person share one. Nodes are not counted: what they ask for must never wait. Nor
    are strangers: sign-in has limits of its own, and everything else answers them 401.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Count, then pass on or refuse."""
        actor: Actor = request.actor  # type: ignore[attr-defined]
        policy, quota = quota_of(actor)
        if not quota:
            return self.get_response(request)
        usage = meter().count(actor.token or actor.id, quota)
        response = refuse(request, actor, usage) if usage.exceeded else self.get_response(request)
        response["RateLimit-Policy"] = f'"{policy}";q={quota};w={WINDOW}'
        response["RateLimit"] = f'"{policy}";r={usage.remaining};t={usage.resets_in}'
        return response


def quota_of(actor: Actor) -> tuple[str, int]:
    """Return the name of the policy that holds for ``actor`` and its requests a minute (0: any)."""
    if actor.token:
        return "token", config().token_requests_per_minute
    if actor.kind == "person":
        return "session", config().session_requests_per_minute
    return "", 0


def refuse(request: HttpRequest, actor: Actor, usage: Usage) -> HttpResponse:
    """Answer 429 and say when to come again."""
    log.info("quota_exceeded", actor=actor.id, counted=actor.token or actor.id, used=usage.used)
    problem = TooManyRequests(
        f"{usage.quota} requests a minute are allowed: wait {usage.resets_in} seconds"
    )
    response = answer(request, problem)
    response["Retry-After"] = str(usage.resets_in)
    return response
