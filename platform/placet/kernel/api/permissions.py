"""The one question DRF asks before a view runs; everything else is asked by actions."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from placet.kernel.problems import NotSignedIn


class SignedIn(BasePermission):
    """Lets any actor but the anonymous one through; what they may do is decided by the action."""

    def has_permission(self, request: Request, view: object) -> bool:
        """Raise 401 for the anonymous actor."""
        actor = getattr(request, "auth", None)
        if actor is None or actor.kind == "anonymous":
            raise NotSignedIn
        return True
