"""Sign-in, passwords and second factors, under /accounts/: django-allauth, less what is closed.

Addresses and linked identities are not managed by oneself: whoever controls an address can have
the password reset to it.
"""

from typing import NoReturn

from allauth.account.views import password_reset_from_key
from django.http import Http404, HttpRequest
from django.urls import include, path, re_path


def closed(request: HttpRequest, **_kwargs: str) -> NoReturn:
    """There is no such page here."""
    raise Http404


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
    path("", include("allauth.urls")),
]
