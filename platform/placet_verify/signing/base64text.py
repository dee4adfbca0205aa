"""Base64 as signed documents hold it: read in its one spelling, so that no bit can hide."""

import base64
import binascii

from placet_verify.errors import Malformed


def encode(raw: bytes) -> str:
    """Return base64 (RFC 4648, section 4)."""
    return base64.b64encode(raw).decode("ascii")


def decode(text: str, holder: str) -> bytes:
    """Read what :func:`encode` wrote; no other alphabet, no stray bits after the end.

    Raises ``Malformed`` that names ``holder`` ("the envelope") for any other text.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(f"{holder} holds text that is not base64") from None
    if encode(raw) != text:
        raise Malformed(f"{holder} holds base64 that is not in its one normal form")
    return raw
