"""One revision of a state: as it is written, and as it is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NotRequired, TypedDict

from placet_protocol.fields import (
    ProtocolError,
    choice,
    digest,
    hex_digest,
    identifier,
    member,
    optional,
    whole,
)
from placet_protocol.guard import Guard, GuardEntry, read_guard
from placet_protocol.node_secrets import SecretEntry, SecretRef, read_secrets
from placet_protocol.report.host import FEATURES
from placet_protocol.runtimes import RuntimeRef
from placet_protocol.testers import HeaderRoute, HeaderRouteEntry, read_header_route
from placet_verify.permit.serving import MAX_MEMORY_MB, MAX_REPLICAS
from placet_verify.units import WHOLE

Wanted = Literal["run", "drain", "stop"]
LEAST_MEMORY_MB = 16  # of what was approved under earlier rules
DEFAULT_MEMORY_MB = 1024  # meant by a serving configuration that does not say it
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class RuntimeEntry(TypedDict):
    """Which runtime a Bento needs."""

    digest: str
    python_version: str


class RevisionEntry(TypedDict):
    """One Bento that should serve behind an endpoint, as a state says it."""

    id: str
    release: str
    bento_digest: str
    bento_sha256: NotRequired[str]  # the same, for who reads it from a path
    bento_size: int
    runtime: RuntimeEntry
    permit: str
    serving: NotRequired[Mapping[str, Any]]  # for people: nodes go by the one inside the permit
    replicas: int
    memory_mb: int
    variables: Mapping[str, str]
    weight: int  # out of WHOLE
    wanted: Wanted
    restart_nonce: int
    salt: NotRequired[str | None]
    header_route: NotRequired[HeaderRouteEntry | None]
    mirror: NotRequired[int]
    guard: NotRequired[GuardEntry | None]
    secrets: NotRequired[Mapping[str, SecretEntry]]  # by the names that its permit has
    needs: NotRequired[list[str]]  # of FEATURES: who does not know one refuses the revision


@dataclass(frozen=True)
class DesiredRevision:
    """One Bento that should serve behind an endpoint."""

    id: str
    release: str
    bento_digest: str
    bento_size: int
    runtime: RuntimeRef
    permit: str
    replicas: int
    memory_mb: int
    variables: Mapping[str, str]
    weight: int
    wanted: Wanted
    restart_nonce: int
    salt: str = ""  # draws which units it gets
    header_route: HeaderRoute | None = None  # for testers
    mirror: int = 0  # of 10,000 requests it gets a copy, and nobody its answer
    guard: Guard | None = None  # when the node takes its requests from it
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)  # those that have a value


@dataclass(frozen=True)
class RefusedRevision:
    """A revision that cannot be read. Nothing runs for it, and all others go on."""

    id: str  # '' when not even that can be read
    endpoint: str
    bento_digest: str  # '' likewise
    reason: str


def read_revision(data: Any) -> DesiredRevision:
    """Read one revision of a state; anything that is not as it should be is a ``ProtocolError``.

    Members that are not known are passed over. What a revision cannot do without it names in
    ``needs``, and a word there that this side does not know is an error.
    """
    runtime = member(data, "runtime", dict)
    bento = digest(data, "bento_digest")
    again = data.get("bento_sha256")
    if again is not None and "sha256:" + hex_digest(again) != bento:
        raise ProtocolError("'bento_sha256' differs from 'bento_digest'")
    _check_needs(data)
    return DesiredRevision(
        id=identifier(data, "id"),
        release=identifier(data, "release"),
        bento_digest=bento,
        bento_size=whole(data, "bento_size", 0, 1 << 50),
        runtime=RuntimeRef(digest(runtime, "digest"), member(runtime, "python_version", str)),
        permit=member(data, "permit", str),
        replicas=whole(data, "replicas", 0, MAX_REPLICAS),
        memory_mb=whole(data, "memory_mb", LEAST_MEMORY_MB, MAX_MEMORY_MB),
        variables=_variables(data),
        weight=whole(data, "weight", 0, WHOLE),
        wanted=choice(data, "wanted", "run", "drain", "stop"),
        restart_nonce=whole(data, "restart_nonce", 0, 1 << 53),
        salt=optional(data, "salt"),
        header_route=read_header_route(data),
        mirror=whole({"mirror": 0} | data, "mirror", 0, WHOLE),
        guard=read_guard(data),
        secrets=read_secrets(data),
    )


def refused_revision(data: Any, endpoint: str, reason: str) -> RefusedRevision:
    """Return what can be said of a revision that is not read."""
    return RefusedRevision(
        _or_nothing(identifier, data, "id"),
        endpoint,
        _or_nothing(digest, data, "bento_digest"),
        reason,
    )


def _or_nothing(read: Any, data: Any, name: str) -> str:
    try:
        return str(read(data, name))
    except ProtocolError:
        return ""


def _check_needs(data: dict[str, Any]) -> None:
    needs = data.get("needs", [])
    if not isinstance(needs, list) or not all(isinstance(word, str) for word in needs):
        raise ProtocolError("'needs' is not a list of words")
    if unknown := [word for word in needs if word not in FEATURES]:
        raise ProtocolError(f"it needs {unknown[0][:40]!r}, which this agent does not know")


def _variables(data: object) -> Mapping[str, str]:
    """Return the variables. Which of them a release may set is for the permit to say."""
    values = member(data, "variables", dict)
    for name, value in values.items():
        if _NAME.fullmatch(name) is None:
            raise ProtocolError(f"{name[:80]!r} is not the name of a variable")
        if not isinstance(value, str) or "\0" in value:
            raise ProtocolError(f"the variable {name[:80]!r} is not text")
    return dict(values)
