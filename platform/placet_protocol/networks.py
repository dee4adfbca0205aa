"""Which addresses belong to the public network: whoever runs the zone of a name that platform or
nodes connect to decides where it leads."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL6 = ipaddress.IPv6Network("2000::/3")
# Said here and not only by ``is_global``, which has learned some of them in later Pythons.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",  # a cloud's metadata service, though the address is a public one
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
    )
)


def read(text: str) -> Address:
    """Return the address that an answer names; an IPv4 address in IPv6's clothes as IPv4.

    Raises ``ValueError``, also for one with a zone: it is a neighbour's.
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise ValueError(f"{text} is an address of this link alone")
        return address.ipv4_mapped or address
    return address


def is_public(address: Address) -> bool:
    """Tell whether it, and what is packed into it, is an address of the public network."""
    return all(_is_global(one) for one in meant(address))


def meant(address: Address) -> list[Address]:
    """Return the address and what is packed into it: tunnels lead to the inner one."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address.sixtofour]
    return list(address.teredo or [address])


def _is_global(address: Address) -> bool:
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL6:
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )
