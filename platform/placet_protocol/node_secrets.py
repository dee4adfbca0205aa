"""Secrets on their way to a node: sealed for the key that it made for this alone.

What is sealed is bound to the node, to project, environment and name of the secret, and to the
very value: a node opens it by what the permit says, so nothing that the platform's rows say can
lead one environment's secret to another's replicas.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from placet_protocol.fields import ProtocolError, identifier, member, whole
from placet_protocol.secret_box import SealingKey
from placet_verify.permit.named_secrets import MAX_SECRET_BYTES, MAX_SECRETS, NamedSecret

MAX_VERSION = 1 << 31
MAX_SEALED = MAX_SECRET_BYTES * 2  # characters: base64 of the value, a key, a mark and a tag


class SecretEntry(TypedDict):
    """The value of a secret that replicas are to have, as a state says it."""

    value: str  # its id: another value has another one, after a restored backup too
    version: int


class SealedReply(TypedDict):
    """What a node is told that asks for a value."""

    v: int
    value: str
    sealed: str


@dataclass(frozen=True, order=True)
class SecretRef:
    """The value of a secret that replicas are to have."""

    value: str
    version: int


@dataclass(frozen=True, order=True)
class SecretPlace:
    """Whose secret it is: the place, with the value's id, that what is sealed is bound to."""

    project: str
    environment: str
    name: str
    value: str

    @property
    def at_rest(self) -> str:
        """What the value in the database is bound to."""
        return f"serving.secret:{self.project}:{self.environment}:{self.name}:{self.value}"

    def on(self, node: str) -> str:
        """Return what the value is bound to that is sealed for a node."""
        return f"placet.node:{node}:{self.at_rest}"


def secret_path(revision: str, name: str, value: str) -> str:
    """Return where a node asks for the value of a secret that a revision names."""
    return f"secrets/{revision}/{name}/{value}"


def read_secrets(data: object) -> dict[str, SecretRef]:
    """Read which values the secrets of a revision have, by their names; absent: it has none."""
    entries = data.get("secrets", {}) if isinstance(data, dict) else {}
    if not isinstance(entries, Mapping) or len(entries) > MAX_SECRETS:
        raise ProtocolError(f"'secrets' are not at most {MAX_SECRETS}")
    return {_name(name): _ref(entry) for name, entry in entries.items()}


def read_sealed(data: Any) -> str:
    """Read what a node is told that asks for a value; raise ``ProtocolError``."""
    sealed = member(data, "sealed", str)
    if not sealed.isascii() or len(sealed) > MAX_SEALED:
        raise ProtocolError("this is no sealed secret")
    return sealed


def sealing_key(public: str) -> SealingKey | None:
    """Return the key of a node by what it reports; ``None`` where it has none."""
    return SealingKey.read(public) if public else None


def _ref(entry: object) -> SecretRef:
    return SecretRef(identifier(entry, "value"), whole(entry, "version", 1, MAX_VERSION))


def _name(text: object) -> str:
    try:
        named = NamedSecret.read(text)
    except ValueError as error:
        raise ProtocolError(f"the secret {str(text)[:80]!r} {error}") from error
    if named.project:
        raise ProtocolError(f"the secret {str(text)[:80]!r} is not named alone")
    return named.name
