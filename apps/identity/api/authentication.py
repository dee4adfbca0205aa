"""Hands the actor that the middleware found to DRF."""

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from placet.kernel.actor import Actor


class ActorAuthentication(BaseAuthentication):
    """``request.auth`` is the actor."""

    def authenticate(self, request: Request) -> tuple[object, Actor] | None:
        """Return the Django user and the actor."""
        actor = getattr(request._request, "actor", None)
        return (request._request.user, actor) if actor else None


class ActorScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells the OpenAPI document how one signs in: by a token, or by a session of the pages."""

    target_class = ActorAuthentication
    name = ["token", "session"]

    def get_security_definition(self, auto_schema: object) -> list[dict[str, str]]:
        """Return the two schemes."""
        return [
            {"type": "http", "scheme": "bearer"},
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
        ]
