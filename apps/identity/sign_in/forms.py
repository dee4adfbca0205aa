"""The forms of sign-in that take an address: as everywhere, only its ASCII letters have no case."""

from typing import Any

from allauth.account import forms
from django.core.exceptions import ValidationError

from apps.identity.models import User


class AddressField(forms.EmailField):  # type: ignore[misc]
    """An address. django-allauth makes all letters of Unicode small."""

    def clean(self, value: str) -> str:
        """Return the address as it is compared. Raises ``ValidationError`` for one that small
        letters would make another's (the Kelvin sign's is k)."""
        small: str = super().clean(value)
        if small != User.objects.normalize_email(self.to_python(value)):
            raise ValidationError("Enter the e-mail address as it is written.", code="invalid")
        return small


class LoginForm(forms.LoginForm):  # type: ignore[misc]
    """Signs somebody in with address and password."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["login"] = AddressField()


class ResetPasswordForm(forms.ResetPasswordForm):  # type: ignore[misc]
    """Sends a link to an address with which its owner sets a password."""

    email = AddressField()
