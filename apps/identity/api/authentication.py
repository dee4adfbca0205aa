"""Hands the actor that the middleware found to DRF."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from placet.kernel.actor import Actor


class ActorAuthentication(BaseAuthentication):
    """``request.auth`` is the actor."""

    def authenticate(self, request: Request) -> tuple[object, Actor] | None:
        """Return the Django user and the actor."""
        actor = getattr(request._request, "actor", None)
        return (request._request.user, actor) if actor else None
