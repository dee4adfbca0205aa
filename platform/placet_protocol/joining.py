"""What a node sends to join a target, and what it is told."""

from typing import Any, TypedDict

from placet_protocol import bounded
from placet_protocol.fields import ProtocolError, identifier, member
from placet_protocol.report.host import PlatformInfo, read_platform

MAX_TEXT = 200


class KeysReply(TypedDict):
    """The public keys, as everybody may ask for them."""

    v: int
    root_public: str  # base64 of 32 bytes
    keys: Any  # the envelope of keys.json, signed by the root key


class JoinRequest(TypedDict):
    """What a node sends to join a target."""

    v: int
    token: str  # the secret part
    public_key: str  # base64 of the raw Ed25519 public key
    agent_version: str
    platform: PlatformInfo


class JoinReply(TypedDict):
    """What a node is told when it has joined."""

    v: int
    node: str
    target: str
    target_name: str


def read_join(data: Any) -> JoinRequest:
    """Read what a node sends; raise ``ProtocolError`` with a JSON pointer."""
    if not isinstance(data, dict) or data.get("v") != 1:
        raise ProtocolError("A join request of version 1 is an object")
    platform = read_platform(data.get("platform", {}))
    return JoinRequest(
        v=1,
        token=_required(data, "token"),
        public_key=_required(data, "public_key"),
        agent_version=platform["agent_version"],
        platform=platform,
    )


def read_reply(data: Any) -> JoinReply:
    """Read what a node is told; raise ``ProtocolError``."""
    name = data.get("target_name", "") if isinstance(data, dict) else ""
    return JoinReply(
        v=member(data, "v", int) if isinstance(data, dict) and "v" in data else 1,
        node=identifier(data, "node"),
        target=identifier(data, "target"),
        target_name=name[:MAX_TEXT] if isinstance(name, str) else "",
    )


def _required(data: Any, name: str) -> str:
    value = bounded.text(data, name, "", MAX_TEXT + 1)
    if not 0 < len(value) <= MAX_TEXT:
        raise bounded.fault(f"/{name}", "text")
    return value
