"""Addresses that clients of a target are given: they are copied into shells and programs. Standard
library only."""

import ipaddress
import re

ADDRESS_SAYS = (
    "Give an http:// or https:// address: a host, its port if it is not the usual one, and a plain "
    "path at most"
)
MAX_ADDRESS = 200
_ADDRESS = re.compile(
    r"https?://(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?"
)


def address_fault(text: str) -> str:
    """Return why clients cannot be given this address of a target, or ''."""
    match = _ADDRESS.fullmatch(text) if len(text) <= MAX_ADDRESS else None
    if match is None or int(match["port"] or 1) > 65535:
        return ADDRESS_SAYS
    try:
        ipaddress.IPv6Address(match["v6"] or "::")
    except ValueError:
        return ADDRESS_SAYS
    return ""
