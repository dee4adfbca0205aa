"""What a host can do, as its agent says it: in every report, and at join."""

import re
from typing import Any, Final, Literal, NotRequired, TypedDict

from placet_protocol import bounded

# What this agent can do beside what every agent could. ``apart``: it knows egress, replicas that
# share nothing, and which variables a Bento declares. ``slim``: it serves without BentoML.
# ``limits``: it holds requests to the limits of a release. ``scaling``: it scales by load.
# ``zero``: it has sleep what nobody calls, and wakes it.
# ``secrets``: it has a key for secrets, and gives them to replicas.
FEATURES: Final = (
    "unit",
    "header_route",
    "mirror",
    "capture",
    "guard",
    "receipts",
    "apart",
    "slim",
    "limits",
    "scaling",
    "zero",
    "secrets",
)
MAX_REPLICAS: Final = 490  # on one node: so many users an agent that is root has for them

Network = Literal["own", "host"]
MAX_PYTHONS, MAX_FEATURES = 16, 64
_PYTHON = re.compile(r"[0-9]{1,2}\.[0-9]{1,3}(\.[0-9]{1,3})?")
_VERSION = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){1,3}([-.]?(a|b|c|rc|dev|post)[0-9]{1,5})?")
_HAPROXY = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4}){1,3})(?:[-~+][0-9A-Za-z.~+-]*)?")
_PUBLIC_KEY = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")  # 32 bytes in base64
_MACHINES = (
    "x86_64",
    "amd64",
    "i686",
    "aarch64",
    "arm64",
    "armv6l",
    "armv7l",
    "ppc64le",
    "s390x",
    "riscv64",
    "loongarch64",
)


class PlatformInfo(TypedDict):
    """What the host can do."""

    pythons: list[str]  # ["3.11", "3.13"]
    isolation: str  # "bwrap", or "none": then nothing runs here
    memory_limit: str  # "cgroup1", "cgroup2" or "prlimit"
    network: Network  # whether a replica can be given a network namespace of its own
    memory_mb: int
    cpus: int
    machine: str  # "x86_64"
    haproxy: str  # its version
    port: int  # where clients reach endpoints
    agent_version: str
    features: list[str]  # of FEATURES
    # the X25519 key that secrets are sealed for, base64; '' by an agent that has none
    secret_key: NotRequired[str]


def read_platform(data: Any, at: str = "/platform") -> PlatformInfo:
    """Read what a host can do; these members alone, in words and numbers that this side knows.

    All of it goes into the append-only log, so nothing of it may be a text that a node chooses: a
    word that is not known here, from a newer agent say, reads as the weakest of its kind, and a
    version that is none as ''. Raises ``ProtocolError`` for a member of another type.
    """
    if not isinstance(data, dict):
        raise bounded.fault(at, "an object")
    network = bounded.word(data, "network", at, ("own",), "host")
    secret_key = bounded.matching(data, "secret_key", at, _PUBLIC_KEY)
    haproxy = _HAPROXY.fullmatch(bounded.text(data, "haproxy", at, 64))
    platform = PlatformInfo(
        pythons=[v for v in _words(data, "pythons", at, MAX_PYTHONS) if _PYTHON.fullmatch(v)],
        isolation=bounded.word(data, "isolation", at, ("bwrap",), "none"),
        memory_limit=bounded.word(data, "memory_limit", at, ("cgroup1", "cgroup2"), "prlimit"),
        network="own" if network == "own" else "host",
        memory_mb=bounded.whole(data, "memory_mb", at, 1 << 40),
        cpus=bounded.whole(data, "cpus", at, 1 << 16),
        machine=bounded.word(data, "machine", at, _MACHINES, ""),
        haproxy=haproxy[1] if haproxy else "",
        port=bounded.whole(data, "port", at, 65535),
        agent_version=bounded.matching(data, "agent_version", at, _VERSION)[:20],
        features=[f for f in FEATURES if f in _words(data, "features", at, MAX_FEATURES)],
    )
    if secret_key:
        platform["secret_key"] = secret_key
    return platform


def _words(data: dict[str, Any], name: str, at: str, limit: int) -> list[str]:
    words = data.get(name, [])
    if not isinstance(words, list) or len(words) > limit:
        raise bounded.fault(f"{at}/{name}", f"a list of at most {limit}")
    if not all(isinstance(item, str) for item in words):
        raise bounded.fault(f"{at}/{name}", "a list of texts")
    return list(dict.fromkeys(words))
