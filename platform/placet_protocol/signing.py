"""How a request between a node and the platform is signed, and what the headers are called."""

import base64
import hashlib
from datetime import datetime
from typing import Protocol

from placet_protocol.fields import format_time

HEADER_NODE = "Placet-Node"
HEADER_TIME = "Placet-Time"
HEADER_SIGNATURE = "Placet-Signature"
MAX_SKEW_SECONDS = 120


class Signer(Protocol):
    """A private key that signs bytes."""

    def sign(self, data: bytes) -> bytes:
        """Return the raw signature."""
        ...


def signed_text(method: str, target: str, time: str, body: bytes) -> bytes:
    """Return the bytes that a request's signature covers; ``target`` is ``path?query``."""
    return "\n".join((method.upper(), target, time, hashlib.sha256(body).hexdigest())).encode()


def sign_request(
    key: Signer, method: str, target: str, body: bytes, *, node: str, at: datetime
) -> dict[str, str]:
    """Return the headers that sign one request; ``node`` is empty only at join."""
    time = format_time(at)
    signature = base64.b64encode(key.sign(signed_text(method, target, time, body))).decode()
    headers = {HEADER_TIME: time, HEADER_SIGNATURE: signature}
    if node:
        headers[HEADER_NODE] = node
    return headers
