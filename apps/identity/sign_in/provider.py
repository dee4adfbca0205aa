"""Going to the identity provider and coming back, with django-allauth's views.

What is asked of the provider travels through the browser, whose user can change it: nothing counts
because it was asked for. What comes back belongs to this session and this one question by
``state`` (once, for ten minutes), PKCE and ``nonce`` (OpenID Connect Core 1.0, section 3.1.2.1);
when the person was seen is what the ID token says.
"""

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.http import Http404, HttpRequest, HttpResponse
from requests import RequestException

from apps.identity.sign_in.claims import Claims, read_claims, read_id_token
from apps.identity.sign_in.linking import is_of_another_issuer
from apps.identity.sign_in.provider_answers import BadAnswer
from placet.kernel.config import config

NEEDED = ("issuer", "authorization_endpoint", "token_endpoint")


class Answers(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """Reads what the provider answers, so that django-allauth sees nothing odd of it."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """Return the provider's own description, with all that is used of it."""
        configuration: dict[str, Any] = super().openid_config
        for name in (*NEEDED, "userinfo_endpoint"):
            value = configuration.get(name)
            if not (isinstance(value, str) and value) and (name in NEEDED or value is not None):
                raise BadAnswer(f"its configuration has no {name}")
        if not isinstance(configuration.get("token_endpoint_auth_methods_supported", []), list):
            raise BadAnswer("token_endpoint_auth_methods_supported is not a list")
        return configuration

    def parse_token(self, data: dict[str, Any]) -> SocialToken:
        """Return the access token, which is used at once and not kept."""
        text = data["access_token"]
        if not (isinstance(text, str) and text and text.isascii() and text.isprintable()):
            raise BadAnswer("access_token is not one of printable characters")
        return SocialToken(token=text)

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **answer: Any
    ) -> SocialLogin:
        """Return who came in, with the ``claims`` that were read."""
        id_token = answer["response"].get("id_token")
        token_claims = read_id_token(id_token)
        self._decode_id_token(app, id_token)  # refuses another issuer or audience, and its end
        has_more = self.openid_config.get("userinfo_endpoint") is not None
        more = self._fetch_user_info(token.token) if has_more else {}
        claims = read_claims(token_claims, more)
        login = self.get_provider().sociallogin_from_response(request, stored(claims))
        if is_of_another_issuer(login.account, claims.email):
            raise BadAnswer("sub was linked to somebody else by the provider before this one")
        login.claims = claims
        return login


def stored(claims: Claims) -> dict[str, Any]:
    """Return what is kept of ``claims`` beside the linked identity: no name and no address."""
    return {"iss": claims.issuer, "sub": claims.subject, "auth_time": claims.authenticated_at}


class Provider(OpenIDConnectProvider):  # type: ignore[misc]
    """Asks the provider who comes in."""

    oauth2_adapter_class = Answers

    def get_redirect_from_request_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """Have who is signed in here asked for their password or the like, however well the
        provider knows them: they come to show who they are.

        Whoever signs in is asked if that is long ago. By ``max_age`` the provider says when it was
        (OpenID Connect Core 1.0, sections 2 and 3.1.2.1), so that nobody who found a browser open
        is fresh by signing out and in again.
        """
        nonce, here = secrets.token_urlsafe(32), request.user.is_authenticated
        within = 60 * config().reauthenticate_after_minutes
        parameters = {"prompt": "login", "max_age": 0} if here else {"max_age": within}
        return {
            "process": AuthProcess.LOGIN,
            "next_url": get_next_redirect_url(request),
            "auth_params": {**parameters, "nonce": nonce},
            "nonce": nonce,  # this and the next are kept in the session
            "confirms": here,
        }


View = Callable[[HttpRequest, str], HttpResponse]


def told(view: View) -> View:
    """Have what goes wrong with the provider end on the page that says so."""

    @wraps(view)
    def seen(request: HttpRequest, provider_id: str) -> HttpResponse:
        try:
            provider = get_adapter().get_provider(request, provider=provider_id)
        except SocialApp.DoesNotExist:
            raise Http404 from None
        try:
            return view(request, provider_id)
        except (RequestException, OAuth2Error) as error:  # allauth does not catch all of them
            response: HttpResponse = render_authentication_error(request, provider, exception=error)
            return response

    return seen


@told
def login(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Ask whether to go to the provider (GET), and go (POST)."""
    answer: HttpResponse = OAuth2LoginView.adapter_view(Answers(request, provider_id))(request)
    return answer


@told
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take what the provider sent the browser back with."""
    answer: HttpResponse = OAuth2CallbackView.adapter_view(Answers(request, provider_id))(request)
    return answer
