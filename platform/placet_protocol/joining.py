"""What a node sends to join a target, and what it is told."""

from typing import TypedDict

from placet_protocol.report import PlatformInfo


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
