"""Who is behind a session, read with their roles: every page asks for both."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend

from apps.identity.models import User
from apps.identity.queries import with_roles


class RoleBackend(AuthenticationBackend):  # type: ignore[misc]
    """Signs people in as allauth does."""

    def get_user(self, user_id: Any) -> User | None:
        """Return an active person with their roles (one query), or ``None``."""
        person = with_roles(User.objects.filter(pk=user_id)).first()
        return person if person is not None and self.user_can_authenticate(person) else None
