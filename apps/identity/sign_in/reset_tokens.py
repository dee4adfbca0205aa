"""The tokens of set-up and reset links."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.tokens import PasswordResetTokenGenerator

from apps.identity.models import User
from apps.identity.trust.vouching import credentials, is_vouched


class ResetTokens(PasswordResetTokenGenerator):
    """Makes tokens that are good only while everything that lets the person in stays as it is.

    A link that was asked for by an address which somebody wrote into the tables opens nothing,
    also after the address was taken out again.
    """

    def _make_hash_value(self, user: AbstractBaseUser, timestamp: int) -> str:
        assert isinstance(user, User)
        return super()._make_hash_value(user, timestamp) + credentials(user)

    def check_token(self, user: AbstractBaseUser | None, token: str | None) -> bool:
        """Tell whether ``token`` is this person's, and the person one that the log vouches for."""
        return isinstance(user, User) and super().check_token(user, token) and is_vouched(user)
