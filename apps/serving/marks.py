"""What of a release's destinations whoever decides should not read past: addresses that no public
network has. Standard library only."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from placet_verify.permit.serving import Address, Destination

# Where clouds hand out credentials to whoever asks from a machine of theirs.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        (
            "169.254.169.254",
            "169.254.170.2",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
        ),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def marks(egress: Iterable[str], host: str = "") -> list[str]:
    """Return a sentence for each destination that is marked, in order.

    ``host`` is the address of the target, if it has one: its own host is marked too.
    """
    own = urlsplit(host).hostname or ""
    pairs = ((text, _mark(Destination.read(text), own)) for text in egress)
    return [f"{text} is {mark}" for text, mark in pairs if mark]


def _mark(to: Destination, own: str) -> str:
    if own and to.host == own.lower():
        return "the target's own host"
    if to.address is None:
        return ""  # where a name leads is looked at for each connection, by the node
    address = _meant(to.address)
    if address in _METADATA:
        return "a cloud's metadata service"
    if address.is_link_local:
        return "a link-local address"
    return "" if address.is_global else "a private address"


def _meant(address: Address) -> Address:
    """Return what is packed into an address of a tunnel, else itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.sixtofour or (address.teredo or (None, address))[1]
    return address
