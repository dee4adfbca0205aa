"""Who is asking, and repeated POSTs."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from placet.kernel.actor import ANONYMOUS


class ActorMiddleware:
    """Sets ``request.actor``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Resolve the actor and pass on."""
        request.actor = ANONYMOUS  # type: ignore[attr-defined]
        return self.get_response(request)


class IdempotencyMiddleware:
    """Replays a POST that was answered before under the same ``Idempotency-Key``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on."""
        return self.get_response(request)
