"""How django-allauth behaves here: nobody signs up, and single sign-on makes nobody."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.adapter import get_adapter as get_social_adapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.shortcuts import render
from django.urls import reverse
from requests import Session

from apps.identity.actions import note_sign_in_event
from apps.identity.actions.credentials import change_credentials, set_own_password
from apps.identity.errors import NotVouched
from apps.identity.events import IDENTITY_LINKED, SIGN_IN_FAILED
from apps.identity.models import User
from apps.identity.sign_in.provider_answers import bounded
from apps.identity.trust.vouching import is_vouched


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Closes sign-up: people are made by an access admin. Lets in whom the log vouches for."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody signs up."""
        return False

    def login(self, request: HttpRequest, user: User) -> None:
        """Open the session: the last step of every way to sign in, after any second factor."""
        if not is_vouched(User.objects.get(pk=user.pk)):
            raise not_vouched(request, user)
        super().login(request, user)

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Offer the identity provider too, where the person came from it before."""
        found: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        linked = SocialAccount.objects.filter(user=user.pk).values_list("provider", flat=True)
        for app in get_social_adapter().list_apps(self.request) if linked else []:
            if app.provider_id in linked:
                url = reverse("openid_connect_login", kwargs={"provider_id": app.provider_id})
                found.append({"id": app.provider_id, "description": app.name, "url": url})
        return found

    def set_password(self, user: User, password: str) -> None:
        """Set a password that its owner chose."""
        set_own_password(user, password)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Lets people who exist sign in through the identity provider.

    The first time, the provider's account is linked to the person with its e-mail address, if
    the provider says that the address is verified. It never makes a person, and nobody links a
    second identity by hand.
    """

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Nobody signs up."""
        return False

    def list_apps(self, request: HttpRequest, **which: Any) -> list[SocialApp]:
        """Return the providers of the settings. One in the database is somebody else's."""
        return [app for app in super().list_apps(request, **which) if app.pk is None]

    def get_requests_session(self) -> Session:
        """Ask the provider within bounds."""
        return bounded(super().get_requests_session())

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Link a first sign-in to the person it belongs to, or refuse it."""
        if sociallogin.state.get("process") == AuthProcess.CONNECT:
            raise refuse(request, None)
        if sociallogin.is_existing:
            return
        # ``email_verified`` as text ("false" too) is a provider whose word on it cannot be told
        verified = [a.email.lower() for a in sociallogin.email_addresses if a.verified is True]
        person = User.objects.filter(email__in=verified, is_active=True).first()
        if person is None:
            raise refuse(request, person)

        def link(row: User) -> None:
            sociallogin.connect(request, row)
            note_sign_in_event(IDENTITY_LINKED, person=row)

        try:
            change_credentials(person, link)
        except NotVouched:
            raise not_vouched(request, person) from None


def refuse(request: HttpRequest, person: User | None) -> ImmediateHttpResponse:
    """Log the refusal and return the page that says whom to ask."""
    note_sign_in_event(SIGN_IN_FAILED, person=person, data={"method": "single_sign_on"})
    return ImmediateHttpResponse(render(request, "socialaccount/unknown_person.html", status=403))


def not_vouched(request: HttpRequest, person: User) -> ImmediateHttpResponse:
    """Log that an account was changed past Placet; return the page that says whom to ask."""
    note_sign_in_event(SIGN_IN_FAILED, person=person, data={"method": "not_vouched"})
    return ImmediateHttpResponse(render(request, "account/not_vouched.html", status=403))
