"""Getting a token that a person confirms in the browser (RFC 8628)."""

import os
import sys
import time
import webbrowser
from collections.abc import Mapping

from placet_client.client import Client
from placet_client.errors import InvalidRequest
from placet_client.records import DeviceCode, DeviceToken

SLOWER = 5.0  # seconds more after ``slow_down`` (RFC 8628, section 3.5)


def wait_for_token(client: Client, code: DeviceCode) -> DeviceToken:
    """Ask until the person has confirmed, and return the token.

    Raises :class:`PlacetError` with the code ``access_denied`` when they denied it, and
    ``TimeoutError`` when nobody answered in time.
    """
    end, pause = time.monotonic() + code.expires_in, float(code.interval)
    while time.monotonic() < end:
        try:
            return client.devices.token(code.device_code)
        except InvalidRequest as refusal:
            if refusal.code == "slow_down":
                pause += SLOWER
            elif refusal.code == "expired_token":
                break
            elif refusal.code != "authorization_pending":
                raise
        client.http.wait(pause)
    raise TimeoutError("Nobody confirmed the code in time: run `placet login` again")


def open_page(address: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Open ``address`` in the person's browser, where there is a screen to show one; tell whether
    that was done. What a server calls its page is opened if it is a page."""
    far = "SSH_CONNECTION" in environment
    screen = sys.platform in ("darwin", "win32") or bool(
        environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    )
    if far or not screen or not sys.stderr.isatty():
        return False
    if not address.startswith(("http://", "https://")):
        return False
    return webbrowser.open(address)
