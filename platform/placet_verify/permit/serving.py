"""What a serving configuration may say: its members, what may be reached, which variables are set.

Standard library only. Plan, permit and agent read by the same functions, so what people approve is
what a node accepts; the verifier in JavaScript has twins of them.

A configuration *without* ``egress`` was approved before replicas were kept from the network. It
goes on as it was approved, its variables included: nothing of it is judged again.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from placet_verify.errors import Refused
from placet_verify.numbers import is_whole
from placet_verify.permit.limits import limits_faults
from placet_verify.permit.named_secrets import secrets_faults
from placet_verify.permit.scaling import scaling_faults
from placet_verify.permit.variables import variables_faults

MEMBERS = frozenset(
    {
        "replicas",
        "max_replicas",
        "memory_mb",
        "variables",
        "unit",
        "capture",
        "egress",
        "server",
        "limits",
        "target_inflight",
        "min_replicas",
        "secrets",
    }
)
SLIM = "slim"  # the one server that is named: without BentoML. Where none is, BentoML serves
MAX_EGRESS = 32
MAX_REPLICAS = 64
MIN_MEMORY_MB, MAX_MEMORY_MB = 64, 1 << 20

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
# A last label that readers of addresses take as a number: 0x7f000001 is 127.0.0.1.
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
# What can never be another host's address. Loopback would be the replica's own; the IPv6 forms
# that hold an IPv4 address have that one's own name.
_NOWHERE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0/96",
        "ff00::/8",
    )
)
_SHAPE = "write it as host:port, with a name or an address and a port from 1 to 65535"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ServingRefused(Refused):
    """A serving configuration is not one that may run. Its code is ``serving``."""

    def __init__(self, sentence: str) -> None:
        super().__init__("serving", sentence)


@dataclass(frozen=True, slots=True, order=True)
class Destination:
    """One host and port that a replica may reach. ``host`` has no brackets."""

    host: str
    port: int

    @classmethod
    def read(cls, text: object) -> "Destination":
        """Read ``name:port``, ``192.0.2.1:port`` or ``[2001:db8::1]:port``.

        Capital letters of a name become small. Raises ``ValueError`` with a sentence.
        """
        if not isinstance(text, str) or not text.isascii() or len(text) > 270:
            raise ValueError(_SHAPE)
        host, colon, port = text.rpartition(":")
        if not colon or _PORT.fullmatch(port) is None or int(port) > 65535:
            raise ValueError(_SHAPE)
        if host.startswith("[") and host.endswith("]"):
            return cls(_address(host[1:-1], 6), int(port))
        name = host.lower()
        if _NUMERIC.fullmatch(name.rpartition(".")[2]):
            return cls(_address(host, 4), int(port))
        return cls(_name(name), int(port))

    @property
    def address(self) -> Address | None:
        """The address when people approved one, ``None`` when they approved a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _name(name: str) -> str:
    if _DNS.fullmatch(name) is None or len(name) > 253:
        raise ValueError(f"{_SHAPE}; a name has letters, digits, - and .")
    if name == "localhost" or name.endswith(".localhost"):
        raise ValueError("localhost is the replica itself")
    return name


def _address(text: str, version: int) -> str:
    try:
        address: Address = (
            ipaddress.IPv6Address(text) if version == 6 else ipaddress.IPv4Address(text)
        )
    except ValueError:
        raise ValueError(f"{_SHAPE}; {text[:60]} is no IPv{version} address") from None
    if any(address in network for network in _NOWHERE if network.version == version):
        raise ValueError(f"{text[:60]} can never be the address of another host")
    if "%" in text or str(address) != text:
        raise ValueError(
            f"write the address in its shortest form: {str(address).partition('%')[0]}"
        )
    return text


def egress_of(serving: Mapping[str, Any]) -> tuple[Destination, ...] | None:
    """Return what a replica may reach; ``None``: approved under the earlier rules.

    Raises ``ServingRefused`` with a sentence that names the entry at fault.
    """
    if "egress" not in serving:
        return None
    faults, destinations = egress_faults(serving["egress"])
    for index, detail in faults:
        raise ServingRefused(f"egress{'' if index is None else f' {index + 1}'}: {detail}")
    return destinations


def egress_faults(
    value: object,
) -> tuple[list[tuple[int | None, str]], tuple[Destination, ...]]:
    """Return what is wrong with a list of destinations, each with its place, and those read."""
    faults: list[tuple[int | None, str]] = []
    destinations: list[Destination] = []
    if not isinstance(value, list) or len(value) > MAX_EGRESS:
        return [(None, f'must be a list of at most {MAX_EGRESS} texts "host:port"')], ()
    for index, text in enumerate(value):
        try:
            one = Destination.read(text)
        except ValueError as error:
            faults.append((index, str(error)))
            continue
        if one in destinations:
            faults.append((index, f"{one} is named twice"))
        destinations.append(one)
    return faults, tuple(destinations)


def network(serving: Mapping[str, Any]) -> str:
    """Say in words what the network of a replica is. Raises ``ServingRefused``."""
    destinations = egress_of(serving)
    if destinations is None:
        return "older isolation: the host's network"
    if not destinations:
        return "may reach nothing"
    return f"may reach: {', '.join(map(str, destinations))}"


def is_slim(serving: Mapping[str, Any]) -> bool:
    """Tell whether a configuration that may run is served without BentoML."""
    return serving.get("server") == SLIM


def number_faults(serving: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with replicas, memory and how it scales, each with its member."""
    replicas = serving.get("replicas", 1)
    limits, scaling = [("replicas", replicas, 1, MAX_REPLICAS)], list[tuple[str, str]]()
    if is_whole(replicas, 1, MAX_REPLICAS):
        most = serving.get("max_replicas", replicas)
        limits += [("max_replicas", most, replicas, MAX_REPLICAS)]
        scaling = scaling_faults(serving, replicas)
    memory = serving.get("memory_mb", MIN_MEMORY_MB)
    limits += [("memory_mb", memory, MIN_MEMORY_MB, MAX_MEMORY_MB)]
    return [
        *(
            (name, f"must be a whole number from {low} to {high}")
            for name, value, low, high in limits
            if not is_whole(value, low, high)
        ),
        *scaling,
    ]


def limit_faults(serving: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with the limits of requests, each with its member."""
    if "limits" not in serving:
        return []
    return limits_faults(serving["limits"], sleeps=serving.get("min_replicas") == 0)


def check(serving: Mapping[str, Any]) -> None:
    """Raise ``ServingRefused`` unless this may run; unit and capture are for others to read."""
    isolated = egress_of(serving) is not None
    for name, fault in (
        secrets_faults(serving["secrets"], isolated=isolated) if "secrets" in serving else ()
    ):
        raise ServingRefused(f"secrets{name and f'/{name}'}: {fault}")
    if not isolated:
        return
    if unknown := sorted(set(serving) - MEMBERS):
        raise ServingRefused(f"{unknown[0][:60]!r} is no member of a serving configuration")
    for name, fault in number_faults(serving):
        raise ServingRefused(f"{name}: {fault}")
    if "server" in serving and serving["server"] != SLIM:
        raise ServingRefused(f"server: must be {SLIM!r}, or left out for BentoML")
    for name, fault in limit_faults(serving):
        raise ServingRefused(f"limits{name and f'/{name}'}: {fault}")
    for name, fault in variables_faults(serving.get("variables", {})):
        raise ServingRefused(f"the variable {name!r}: {fault}" if name else f"variables: {fault}")
