"""Sign-in, passwords and second factors, under /accounts/: django-allauth, less what is closed.

Addresses and linked identities are not managed by oneself: whoever controls an address can have
the password reset to it. A change of second factors is sealed in the log in its own transaction.
A first password or another factor is given by who has just shown who they are: whoever found a
session open could show that with it ever after. (allauth asks only people who have a password or
factor.) What is asked of who has to show it first is not kept
in the session, where django-allauth would carry it out for whoever has the cookie too.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

from allauth.account.views import password_reset_from_key, password_set
from allauth.core.exceptions import ReauthenticationRequired
from allauth.mfa.base.views import authenticate
from allauth.mfa.recovery_codes.views import (
    download_recovery_codes,
    generate_recovery_codes,
    view_recovery_codes,
)
from allauth.mfa.totp.views import activate_totp, deactivate_totp
from allauth.mfa.webauthn.views import (
    add_webauthn,
    edit_webauthn,
    login_webauthn,
    reauthenticate_webauthn,
    remove_webauthn,
)
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path, re_path
from fido2.webauthn import AuthenticationResponse, RegistrationResponse

from apps.identity.actions.credentials import change_credentials
from apps.identity.errors import Reauthenticate
from apps.identity.sign_in import provider
from apps.identity.sign_in.freshness import ask_again, demand_fresh_session
from apps.identity.trust.passkey_answers import UNREADABLE, ResponseType, can_be_read

View = Callable[..., HttpResponse]


def closed(request: HttpRequest, **_kwargs: str) -> NoReturn:
    """There is no such page here."""
    raise Http404


def fresh(view: View) -> View:
    """Have ``view`` see nobody who did not just show who they are, and nothing of it be kept."""

    @login_required
    @wraps(view)
    def asked(request: HttpRequest, **names: Any) -> HttpResponse:
        try:
            demand_fresh_session(request)
            return view(request, **names)
        except (Reauthenticate, ReauthenticationRequired):
            return ask_again(request.get_full_path())

    return asked


def readable(view: View, kind: ResponseType) -> View:
    """Have ``view`` see only what a passkey can have answered, right or wrong."""

    @wraps(view)
    def seen(request: HttpRequest, **names: Any) -> HttpResponse:
        text = request.POST.get("credential")
        if text is not None and not can_be_read(text, kind):
            form = request.POST.copy()
            form["credential"] = UNREADABLE
            request.POST = form  # type: ignore[assignment]
        return view(request, **names)

    return seen


def sealed(view: View) -> View:
    """Have what ``view`` changes of the person's own factors sealed with it, or not changed."""

    @fresh
    @wraps(view)
    def carried_out(request: HttpRequest, **names: Any) -> HttpResponse:
        if request.method != "POST" or not request.user.is_authenticated:
            return view(request, **names)
        return change_credentials(request.user, lambda _row: view(request, **names))

    return carried_out


urlpatterns = [
    # allauth's own pattern of this name does not match an id with an underscore
    re_path(
        r"^password/reset/key/(?P<uidb36>per_[0-9a-f]{32})-(?P<key>.+)/$",
        password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("signup/", closed),
    path("email/", closed),
    path("confirm-email/", closed),
    path("confirm-email/<str:key>/", closed),
    path("login/code/confirm/", closed),
    path("3rdparty/", closed),
    path("3rdparty/signup/", closed),
    path("social/connections/", closed),
    path("social/signup/", closed),
    path("2fa/totp/activate/", sealed(activate_totp), name="mfa_activate_totp"),
    path("2fa/totp/deactivate/", sealed(deactivate_totp), name="mfa_deactivate_totp"),
    path(
        "2fa/recovery-codes/generate/",
        sealed(generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
    path("2fa/recovery-codes/", fresh(view_recovery_codes), name="mfa_view_recovery_codes"),
    path(
        "2fa/recovery-codes/download/",
        fresh(download_recovery_codes),
        name="mfa_download_recovery_codes",
    ),
    path(
        "2fa/webauthn/add/",
        sealed(readable(add_webauthn, RegistrationResponse)),
        name="mfa_add_webauthn",
    ),
    *(
        path(route, readable(view, AuthenticationResponse), name=name)
        for route, view, name in (
            ("2fa/authenticate/", authenticate, "mfa_authenticate"),
            ("2fa/webauthn/login/", login_webauthn, "mfa_login_webauthn"),
            (
                "2fa/webauthn/reauthenticate/",
                reauthenticate_webauthn,
                "mfa_reauthenticate_webauthn",
            ),
        )
    ),
    path("2fa/webauthn/keys/<int:pk>/remove/", sealed(remove_webauthn), name="mfa_remove_webauthn"),
    path("2fa/webauthn/keys/<int:pk>/edit/", fresh(edit_webauthn), name="mfa_edit_webauthn"),
    path("password/set/", fresh(password_set), name="account_set_password"),
    path("oidc/<str:provider_id>/login/", provider.login, name="openid_connect_login"),
    path(
        "oidc/<str:provider_id>/login/callback/", provider.callback, name="openid_connect_callback"
    ),
    path("", include("allauth.urls")),
]
