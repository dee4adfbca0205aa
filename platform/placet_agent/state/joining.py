"""Joining a target: check the root's fingerprint, pin it, offer a key of our own."""

import logging
from pathlib import Path
from typing import Any

from placet_agent import __version__
from placet_agent.client import Client
from placet_agent.downloads.pythons import Interpreters
from placet_agent.haproxy.process import find_binary, version
from placet_agent.loop import platform_info
from placet_agent.process.networks import Networks
from placet_agent.state import files
from placet_agent.state.data_dir import Home, Membership, NotJoined
from placet_agent.state.secret_files import public_key
from placet_agent.state.trust import open_keys
from placet_protocol.fields import ProtocolError, hex_digest
from placet_protocol.joining import JoinRequest
from placet_protocol.report import PlatformInfo
from placet_verify.errors import Refused
from placet_verify.signing.keys import PublicKey

log = logging.getLogger(__name__)


class JoinFailed(Exception):
    """The node did not join."""


def split_token(token: str, root: str) -> tuple[str, str]:
    """Return the secret and the root's fingerprint (hex), which stands in the token or apart."""
    secret, _, fingerprint = token.strip().partition(".")
    try:
        wanted = hex_digest((root or fingerprint).strip())
    except ProtocolError:
        raise JoinFailed("the token carries no fingerprint of the root: give --root") from None
    if root and fingerprint and hex_digest(fingerprint) != wanted:
        raise JoinFailed("--root differs from the fingerprint in the token")
    return secret, wanted


def checked_root(answer: dict[str, Any], fingerprint: str) -> PublicKey:
    """Return the platform's root key, which must be the one that the token names."""
    public = PublicKey.from_base64(str(answer.get("root_public", "")))
    if hex_digest(public.fingerprint) != fingerprint:
        raise JoinFailed("the platform's root key is not the one that the token names")
    return public


def join(
    home: Home, url: str, token: str, *, root: str, port: int, pythons: list[Path], ca: str = ""
) -> Membership:
    """Join the target of ``token``; a repeat with the same folder is harmless."""
    secret, fingerprint = split_token(token, root)
    home.make()
    key = home.ensure_key()
    client = Client(url, key, ca=ca)
    try:
        answer = client.keys()
        public = checked_root(answer, fingerprint)
        ring, text = open_keys(answer, public, 0)
        info = _platform(home, pythons, port)
        request = JoinRequest(
            v=1,
            token=secret,
            public_key=key.public.to_base64(),
            agent_version=__version__,
            platform=info,
        )
        reply = client.join(request)
    except Refused as refusal:
        raise JoinFailed(f"the platform's keys are refused: {refusal.sentence}") from refusal
    finally:
        client.close()
    member = Membership(
        url=client.url,
        node=reply["node"],
        target=reply["target"],
        target_name=reply["target_name"],
        root_public=public.to_base64(),
        port=port,
        runtime_pythons=[str(path) for path in pythons],
        ca=ca,
    )
    _take_up(home, member)
    home.write_text("keys.json", text)
    home.remember(keys_number=ring.number)
    return member


def _platform(home: Home, pythons: list[Path], port: int) -> PlatformInfo:
    haproxy, networks = version(find_binary()), Networks(home.folder)
    secret_key = public_key(home.folder)
    return platform_info(Interpreters(pythons), haproxy, port, networks, secret_key)


def _take_up(home: Home, member: Membership) -> None:
    """Have the folder belong where the node joined, whatever it belonged to before."""
    if _elsewhere(home, member):
        log.warning("the node joins another platform or target: it begins with a fresh memory")
        try:
            with files.locked(home.folder):
                home.begin_anew()
        except files.Busy as error:
            raise JoinFailed(f"{error}: end it before the node joins elsewhere") from error
    home.join(member)


def _elsewhere(home: Home, member: Membership) -> bool:
    """Tell whether the folder belonged to another platform, or to another target of one."""
    try:
        before = home.membership()
    except (NotJoined, files.Unreadable):
        return False
    return (before.root_public, before.target) != (member.root_public, member.target)
