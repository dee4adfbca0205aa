"""Logins of a command line that a person confirms in the browser (RFC 8628): open to strangers."""

from typing import Any

from allauth.account.adapter import get_adapter
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from apps.identity import actions
from apps.identity.rules.devices import LIFETIME, network_of, shown_code
from placet.kernel.api.parsers import StrictJSONParser
from placet.kernel.api.views import PlacetView
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import TooManyRequests
from placet.kernel.quota import meter

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
PER_MINUTE = 300  # questions of an address: twenty devices behind it ask every three seconds
NO_STORE = {"Cache-Control": "no-store"}


class NewDeviceCodeSerializer(serializers.Serializer[Any]):
    """A device that asks for a token."""

    client = serializers.CharField(
        max_length=120, help_text="what the device calls itself, which its person is shown"
    )


class DeviceCodeSerializer(serializers.Serializer[Any]):
    """What the device asks with, and what a person confirms in the browser."""

    device_code = serializers.CharField(help_text="the device's secret")
    user_code = serializers.CharField()
    verification_uri = serializers.CharField()
    verification_uri_complete = serializers.CharField(help_text="with the code in it")
    expires_in = serializers.IntegerField(help_text="seconds")
    interval = serializers.IntegerField(help_text="seconds to wait between two questions")


class DeviceCodeGrantSerializer(serializers.Serializer[Any]):
    """The question of a device whether somebody has confirmed it."""

    grant_type = serializers.ChoiceField(choices=[GRANT_TYPE])
    device_code = serializers.CharField(max_length=120)


class DeviceTokenSerializer(serializers.Serializer[Any]):
    """The token that a person let the device have; it is given once."""

    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(choices=["Bearer"])
    expires_in = serializers.IntegerField(help_text="seconds")
    id = serializers.CharField()
    name = serializers.CharField()
    expires_at = serializers.DateTimeField()


class SmallJSONParser(StrictJSONParser):
    """Reads what somebody sends who has shown nothing."""

    most = 4096


class StrangersView(PlacetView):
    """A view for who has no token yet: no session, small bodies, so many a minute."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    parser_classes = (SmallJSONParser,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count the question before its body is read."""
        usage = meter().count(f"device:{address_of(request)}", PER_MINUTE)
        if usage.exceeded:
            raise TooManyRequests(f"Wait {usage.resets_in} seconds")
        super().initial(request, *args, **kwargs)


def address_of(request: Request) -> str:
    """Return the address that a request came from, as sign-in counts it: of IPv6 its network, of
    which one has as many addresses as one likes."""
    return network_of(get_adapter().get_client_ip(request._request))


class DeviceCode(StrangersView):
    """Where a device begins."""

    @extend_schema(
        operation_id="device_code",
        request=NewDeviceCodeSerializer,
        responses={200: DeviceCodeSerializer},
    )
    def post(self, request: Request) -> Response:
        """Begin a login that a person confirms in the browser (RFC 8628)."""
        data: Any = self.body(NewDeviceCodeSerializer)
        codes = actions.begin_device_login(client=data["client"], address=address_of(request))
        page, code = f"{config().public_origin}/device/", shown_code(codes.user_code)
        body = {
            "device_code": codes.device_code,
            "user_code": code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?code={code}",
            "expires_in": int(LIFETIME.total_seconds()),
            "interval": codes.login.interval,
        }
        return Response(body, headers=NO_STORE)


class DeviceToken(StrangersView):
    """Where a device asks for its token."""

    @extend_schema(
        operation_id="device_token",
        request=DeviceCodeGrantSerializer,
        responses={200: DeviceTokenSerializer},
    )
    def post(self, request: Request) -> Response:
        """Ask for the token of a login. Until there is one 400, whose ``code`` is an error of
        RFC 8628: authorization_pending, slow_down, access_denied or expired_token."""
        data: Any = self.body(DeviceCodeGrantSerializer)
        token, secret = actions.collect_token(data["device_code"])
        body = {
            "access_token": secret,
            "token_type": "Bearer",
            "expires_in": int((token.expires_at - now()).total_seconds()),
            "id": token.pk,
            "name": token.name,
            "expires_at": token.expires_at,
        }
        return Response(body, headers=NO_STORE)
