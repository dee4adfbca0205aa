"""Requests that nodes sign. See ``placet_protocol`` for what is covered."""

import base64
import binascii
from datetime import datetime, timedelta

from django.http import HttpRequest

from apps.serving.errors import NodeRefused
from apps.serving.models import Node
from placet.kernel.clock import now
from placet_protocol import signing
from placet_protocol.fields import ProtocolError, parse_time
from placet_verify.errors import Refused
from placet_verify.signing.keys import PublicKey

MAX_SKEW = timedelta(seconds=signing.MAX_SKEW_SECONDS)


def node_of(request: HttpRequest, *, came: datetime | None = None) -> Node:
    """Return the node that signed ``request``, or raise :class:`NodeRefused`.

    ``came`` is when the request came, if that is not now: it has waited. A replayed request is
    harmless: reading twice reads the same, a wait that it ends is begun anew, and reports are
    numbered.
    """
    pk = request.headers.get(signing.HEADER_NODE, "")
    node = Node.objects.select_related("target").filter(pk=pk).first()
    if node is None:
        raise NodeRefused("No node of this id has joined")
    check_signature(request, node.public_key, came=came)
    return node


def check_signature(request: HttpRequest, public_key: str, *, came: datetime | None = None) -> None:
    """Check that ``public_key`` signed this method, path, query, time and body."""
    moment = request.headers.get(signing.HEADER_TIME, "")
    check_time(moment, came or now())
    written = request.headers.get(signing.HEADER_SIGNATURE, "")
    try:
        key = PublicKey.from_base64(public_key)
        signature = base64.b64decode(written, validate=True)
    except (Refused, binascii.Error, ValueError):
        raise NodeRefused("The key or the signature is not base64 of the right length") from None
    method, target = request.method or "", request.get_full_path()
    if not key.verify(signature, signing.signed_text(method, target, moment, request.body)):
        raise NodeRefused("The signature does not match the request")


def check_time(text: str, ours: datetime) -> None:
    """Refuse a time that is too far from ours."""
    try:
        moment = parse_time(text)
    except ProtocolError:
        raise NodeRefused(f"{signing.HEADER_TIME} must be a time of RFC 3339") from None
    if abs(ours - moment) > MAX_SKEW:
        limit = signing.MAX_SKEW_SECONDS
        raise NodeRefused(f"The node's clock differs from ours by more than {limit} s")
