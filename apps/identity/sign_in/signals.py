"""Turns what django-allauth does into audit events."""

from typing import Any

from allauth.account import signals as account
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialLogin
from django.contrib import messages
from django.contrib.auth import signals as auth
from django.http import HttpRequest

from apps.identity import events
from apps.identity.actions import note_sign_in_event, withdraw_removed
from apps.identity.errors import Reauthenticate
from apps.identity.models import User
from apps.identity.sign_in.freshness import date_back, demand_fresh_session

METHODS = {
    "password": "password",
    "socialaccount": "single_sign_on",
    "password_reset": "set_up_link",
    "mfa": "second_factor",
}

NOT_SAID = (
    "You are signed in, but the identity provider does not say that it has just asked for your"
    " password (auth_time): confirm it again, in another way if there is one, or ask who runs it"
)


def connect() -> None:
    """Listen to every sign-in, sign-out and change of a credential."""
    account.user_logged_in.connect(signed_in, dispatch_uid="identity.signed_in")
    account.authentication_step_completed.connect(confirmed, dispatch_uid="identity.confirmed")
    account.user_logged_out.connect(signed_out, dispatch_uid="identity.signed_out")
    auth.user_login_failed.connect(refused, dispatch_uid="identity.refused")
    mfa.authentication_failed.connect(second_factor_refused, dispatch_uid="identity.mfa_refused")
    mfa.authenticator_added.connect(factor_added, dispatch_uid="identity.mfa_added")
    mfa.authenticator_removed.connect(factor_removed, dispatch_uid="identity.mfa_removed")
    mfa.authenticator_reset.connect(codes_renewed, dispatch_uid="identity.mfa_reset")


def signed_in(
    request: HttpRequest, user: User, sociallogin: SocialLogin | None = None, **_kwargs: Any
) -> None:
    """Log a sign-in with the ways it was proved by."""
    if sociallogin is not None:
        date_back(request, sociallogin.account.extra_data.get("auth_time"))
        if sociallogin.state.get("confirms"):
            tell_unless_fresh(request)
    records = get_authentication_records(request, user)
    method = "+".join(dict.fromkeys(_method(r) for r in records)) or "unknown"
    note_sign_in_event(events.SIGNED_IN, person=user, data={"method": method})


def tell_unless_fresh(request: HttpRequest) -> None:
    """Tell somebody who came to show who they are that the provider did not say so."""
    try:
        demand_fresh_session(request)
    except Reauthenticate:
        messages.warning(request, NOT_SAID)


def _method(record: dict[str, Any]) -> str:
    if record.get("method") == "mfa" and record.get("passwordless"):
        return "passkey"
    return METHODS.get(str(record.get("method")), "other")


def confirmed(
    request: HttpRequest, method: str, user: User, reauthenticated: bool = False, **_kwargs: Any
) -> None:
    """Log that somebody authenticated again in their session, and give it another cookie: whoever
    took the old one must not have what is opened now, nor what they left there to be done."""
    if reauthenticated:
        request.session.pop(STATE_SESSION_KEY, None)  # releases before 0.2 kept requests
        request.session.cycle_key()
        note_sign_in_event(events.CONFIRMED, person=user, data={"method": METHODS[method]})


def signed_out(user: User | None, **_kwargs: Any) -> None:
    """Log a sign-out."""
    if user is not None:
        note_sign_in_event(events.SIGNED_OUT, person=user)


def refused(credentials: dict[str, Any], **_kwargs: Any) -> None:
    """Log a failed password; the address tried is not logged, only whose it is."""
    person = User.objects.with_email(str(credentials.get("email") or "")).first()
    note_sign_in_event(events.SIGN_IN_FAILED, person=person, data={"method": "password"})


def second_factor_refused(user: User, **_kwargs: Any) -> None:
    """Log a failed second factor."""
    note_sign_in_event(events.SIGN_IN_FAILED, person=user, data={"method": "second_factor"})


def factor_added(user: User, authenticator: Authenticator, **_kwargs: Any) -> None:
    """Log a new second factor."""
    note_sign_in_event(events.MFA_ADDED, person=user, data={"type": authenticator.type})


def factor_removed(user: User, authenticator: Authenticator, **_kwargs: Any) -> None:
    """Log that a second factor is gone."""
    note_sign_in_event(events.MFA_REMOVED, person=user, data={"type": authenticator.type})
    withdraw_removed(user, authenticator)


def codes_renewed(user: User, **_kwargs: Any) -> None:
    """Log that recovery codes were made anew."""
    note_sign_in_event(events.MFA_RESET, person=user)
