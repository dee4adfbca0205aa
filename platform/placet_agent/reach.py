"""Which addresses a relay may connect to: what a name resolves to is never trusted by itself.

People approve a name; whoever runs its zone decides where it leads. So an answer counts only if
it is a global unicast address of somebody else's host, or is approved itself, with its port.
"""

import socket
from collections.abc import Collection
from pathlib import Path

from placet_protocol.networks import Address, is_public, meant, read
from placet_verify.permit.serving import Destination

__all__ = ["Address", "is_own", "read", "refusal"]


def refusal(address: Address, port: int, approved: Collection[Destination]) -> str:
    """Return why a relay must not connect to this, or '' when it may."""
    if Destination(str(address), port) in approved:
        return ""
    if not is_public(address):
        return f"{address} is no address of the public network, nor approved itself"
    if any(is_own(one) for one in {address, *meant(address)}):
        return f"{address} is this host itself"
    return ""


def is_own(address: Address) -> bool:
    """Whether this host itself has the address."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        if not _binds_anything(address.version):
            try:
                trial.bind((str(address), 0))
            except OSError:
                return False
            return True
        try:  # to itself a host speaks from that very address; nothing is sent
            trial.connect((str(address), 9))
        except OSError:
            return False
        return bool(trial.getsockname()[0] == str(address))


def _binds_anything(version: int) -> bool:
    """Whether the kernel lets one bind addresses that the host does not have."""
    try:
        return Path(f"/proc/sys/net/ipv{version}/ip_nonlocal_bind").read_text().strip() != "0"
    except OSError:
        return False
