"""Requests that nodes sign. See ``placet_protocol`` for what is covered."""

import base64
import binascii
import hashlib
from datetime import datetime, timedelta

from django.http import HttpRequest

from apps.serving.errors import NodeRefused
from apps.serving.models import Node
from placet.kernel.clock import now
from placet_verify.errors import Refused
from placet_verify.keys import PublicKey

MAX_SKEW = timedelta(seconds=120)
NODE, TIME, SIGNATURE = "Placet-Node", "Placet-Time", "Placet-Signature"


def node_of(request: HttpRequest) -> Node:
    """Return the node that signed ``request``, or raise :class:`NodeRefused`.

    A replayed request is harmless: reading twice reads the same, and reports are numbered.
    """
    node = Node.objects.select_related("target").filter(pk=request.headers.get(NODE, "")).first()
    if node is None:
        raise NodeRefused("No node of this id has joined")
    check_signature(request, node.public_key)
    return node


def check_signature(request: HttpRequest, public_key: str) -> None:
    """Check that ``public_key`` signed this method, path, query, time and body."""
    moment = request.headers.get(TIME, "")
    check_time(moment)
    try:
        key = PublicKey.from_base64(public_key)
        signature = base64.b64decode(request.headers.get(SIGNATURE, ""), validate=True)
    except (Refused, binascii.Error, ValueError):
        raise NodeRefused("The key or the signature is not base64 of the right length") from None
    if not key.verify(signature, signed_text(request, moment)):
        raise NodeRefused("The signature does not match the request")


def check_time(text: str) -> None:
    """Refuse a time that is too far from ours."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NodeRefused(f"{TIME} must be a time of RFC 3339") from None
    if moment.tzinfo is None or abs(now() - moment) > MAX_SKEW:
        limit = int(MAX_SKEW.total_seconds())
        raise NodeRefused(f"The node's clock differs from ours by more than {limit} s")


def signed_text(request: HttpRequest, moment: str) -> bytes:
    """Return the bytes that the signature covers."""
    digest = hashlib.sha256(request.body).hexdigest()
    return "\n".join((request.method or "", request.get_full_path(), moment, digest)).encode()
