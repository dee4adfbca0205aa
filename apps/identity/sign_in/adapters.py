"""How django-allauth behaves here: nobody signs up, and single sign-on makes nobody."""

import hmac
from typing import Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.adapter import get_adapter as get_social_adapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from requests import Session

from apps.identity.actions import note_sign_in_event
from apps.identity.actions.credentials import comes_by_provider, set_own_password
from apps.identity.errors import Inactive, LinkedOtherwise, NotVouched, Reauthenticate
from apps.identity.events import SIGN_IN_FAILED
from apps.identity.models import User
from apps.identity.queries import withheld_roles
from apps.identity.sign_in.claims import Claims
from apps.identity.sign_in.freshness import demand_fresh_session
from apps.identity.sign_in.linking import is_taken, link_identity
from apps.identity.sign_in.provider import Provider
from apps.identity.sign_in.provider_answers import BadAnswer, bounded
from apps.identity.trust.vouching import is_vouched

log = structlog.get_logger(__name__)


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

    def post_login(self, request: HttpRequest, user: User, **how: Any) -> HttpResponse:
        """Lead on: to where one sets up a second factor, if roles of the person wait for one."""
        response: HttpResponse = super().post_login(request, user, **how)
        return redirect("mfa_index") if withheld_roles(user.pk) else response

    def is_reauthentication_required(self, *, app: str, **_more: Any) -> bool:
        """Ask nobody again who has just signed in: that shows who they are as well as confirming
        it does, and it grows old as soon (:mod:`apps.identity.sign_in.freshness`)."""
        try:
            demand_fresh_session(self.request)
        except Reauthenticate:
            return True
        return False

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Offer the identity provider too, where the person came from it before."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        linked = SocialAccount.objects.filter(user=user.pk).values_list("provider", flat=True)
        for app in get_social_adapter().list_apps(self.request) if linked else []:
            if app.provider_id in linked:
                url = reverse("openid_connect_login", kwargs={"provider_id": app.provider_id})
                methods.append({"id": app.provider_id, "description": app.name, "url": url})
        return methods

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count what failed for an address, by whatever host it came, as it is looked up."""
        return User.objects.normalize_email(str(credentials.get("email") or "").strip())

    def set_password(self, user: User, password: str) -> None:
        """Set a password that its owner chose."""
        set_own_password(user, password)

    def send_password_reset_mail(self, user: User, email: str, context: dict[str, Any]) -> None:
        """Send it, but not to who has no password and comes by the identity provider: whoever has
        the address by now could make themselves a way past the provider."""
        if user.has_usable_password() or not comes_by_provider(user):
            super().send_password_reset_mail(user, email, context)


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Lets people who exist sign in through the identity provider.

    The first time, the provider's account is linked to the person with its e-mail address, if
    the provider says that the address is verified; from then on that account alone opens theirs.
    It never makes a person, and nobody links an identity by hand.
    """

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Nobody signs up."""
        return False

    def list_apps(self, request: HttpRequest | None, **which: Any) -> list[SocialApp]:
        """Return the providers of the settings. One in the database is somebody else's."""
        return [app for app in super().list_apps(request, **which) if app.pk is None]

    def get_provider(self, request: HttpRequest, provider: str, client_id: Any = None) -> Provider:
        """Return the provider of this name, whose answers are read here."""
        return Provider(request, app=self.get_app(request, provider, client_id))

    def get_requests_session(self) -> Session:
        """Ask the provider within bounds."""
        return bounded(super().get_requests_session())

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse an answer to another question, or by another identity than the one that is
        linked; link a first sign-in to the person it belongs to."""
        claims: Claims = sociallogin.claims
        nonce = str(sociallogin.state.get("nonce") or "")
        if not nonce or not hmac.compare_digest(claims.nonce.encode(), nonce.encode()):
            raise BadAnswer("nonce is not the one that was sent")
        if sociallogin.is_existing:
            if is_taken(sociallogin.user, sociallogin.account):
                raise linked_otherwise(request, sociallogin.user)
            return
        people = User.objects.with_email(claims.email) if claims.email else User.objects.none()
        person = people.filter(is_active=True).first()
        if person is None:
            raise refuse(request)
        try:
            link_identity(person, sociallogin, request)
        except NotVouched:
            raise not_vouched(request, person) from None
        except Inactive:
            raise refuse(request) from None
        except LinkedOtherwise:
            raise linked_otherwise(request, person) from None

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Provider,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict[str, Any] | None = None,
    ) -> None:
        """Log what went wrong on the way; have the page say it where it is said in our words."""
        if error == AuthError.CANCELLED:
            return
        ours = isinstance(exception, BadAnswer)
        kind = type(exception).__name__ if exception else str(error)
        fault = str(exception) if ours else kind  # what others say may hold a part of the answer
        log.warning("single_sign_on_failed", provider=provider.app.provider_id, fault=fault)
        if ours and extra_context is not None:
            extra_context["fault"] = fault
        if ours and (extra_context or {}).get("state"):  # somebody came back from there
            note_sign_in_event(SIGN_IN_FAILED, person=None, data={"method": "single_sign_on"})


def refuse(request: HttpRequest) -> ImmediateHttpResponse:
    """Log the refusal and return the page that says whom to ask."""
    note_sign_in_event(SIGN_IN_FAILED, person=None, data={"method": "single_sign_on"})
    return ImmediateHttpResponse(render(request, "socialaccount/unknown_person.html", status=403))


def linked_otherwise(request: HttpRequest, person: User) -> ImmediateHttpResponse:
    """Log that another identity than the linked one came; return the page that says so."""
    note_sign_in_event(SIGN_IN_FAILED, person=person, data={"method": "other_identity"})
    return ImmediateHttpResponse(render(request, "socialaccount/other_identity.html", status=403))


def not_vouched(request: HttpRequest, person: User) -> ImmediateHttpResponse:
    """Log that an account was changed past Placet; return the page that says whom to ask."""
    note_sign_in_event(SIGN_IN_FAILED, person=person, data={"method": "not_vouched"})
    return ImmediateHttpResponse(render(request, "account/not_vouched.html", status=403))
