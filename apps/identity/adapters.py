"""How django-allauth behaves here: nobody signs up, and single sign-on makes nobody."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from django.http import HttpRequest
from django.shortcuts import render

from apps.identity.actions import note_sign_in_event
from apps.identity.events import IDENTITY_LINKED, SIGN_IN_FAILED
from apps.identity.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Closes sign-up: people are made by an access admin."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody signs up."""
        return False


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Lets people who exist sign in through the identity provider.

    The first time, the provider's account is linked to the person with its e-mail address, if
    the provider says that the address is verified. It never makes a person, and nobody links a
    second identity by hand.
    """

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Nobody signs up."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Link a first sign-in to the person it belongs to, or refuse it."""
        if sociallogin.state.get("process") == AuthProcess.CONNECT:
            raise refuse(request, None)
        if sociallogin.is_existing:
            return
        verified = [a.email.lower() for a in sociallogin.email_addresses if a.verified]
        person = User.objects.filter(email__in=verified, is_active=True).first()
        if person is None:
            raise refuse(request, person)
        sociallogin.connect(request, person)
        note_sign_in_event(IDENTITY_LINKED, person=person)


def refuse(request: HttpRequest, person: User | None) -> ImmediateHttpResponse:
    """Log the refusal and return the page that says whom to ask."""
    note_sign_in_event(SIGN_IN_FAILED, person=person, data={"method": "single_sign_on"})
    return ImmediateHttpResponse(render(request, "socialaccount/unknown_person.html", status=403))
