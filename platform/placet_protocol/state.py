"""The desired state of a target: what its nodes should serve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from placet_protocol.fields import (
    ProtocolError,
    choice,
    digest,
    hex_digest,
    identifier,
    member,
    optional,
    parse_time,
    whole,
)
from placet_protocol.guard import Guard, read_guard
from placet_protocol.runtimes import RuntimeRef
from placet_verify import canonical
from placet_verify.units import WHOLE

STATE_TYPE = "application/vnd.placet.state+json"

Wanted = Literal["run", "drain", "stop"]


@dataclass(frozen=True)
class HeaderRoute:
    """A request with this value in this header goes to the revision, whatever its weight."""

    header: str
    value: str


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


@dataclass(frozen=True)
class DesiredEndpoint:
    """A stable path and the revisions behind it."""

    id: str
    project: str
    project_slug: str
    environment: str
    name: str
    path: str
    api_key_required: bool
    keys: tuple[str, ...]  # SHA-256 hex of API keys
    revisions: tuple[DesiredRevision, ...]
    stable: str = ""  # the revision that is live


@dataclass(frozen=True)
class Prefetch:
    """A Bento and runtime to lie ready, never to be started."""

    bento_digest: str
    runtime_digest: str


@dataclass(frozen=True)
class DesiredState:
    """All that one node should serve."""

    target: str
    epoch: int
    number: int
    issued_at: datetime
    valid_until: datetime
    checkpoint: str | None
    on_expired: Literal["serve", "stop"]
    recalled: frozenset[str]
    endpoints: tuple[DesiredEndpoint, ...]
    prefetch: tuple[Prefetch, ...] = field(default=())
    recalls: tuple[str, ...] = ()  # signed recalls and lifts

    @property
    def generation(self) -> tuple[int, int]:
        """``(epoch, number)``, ordered."""
        return self.epoch, self.number


def _variables(data: object) -> Mapping[str, str]:
    values = member(data, "variables", dict)
    for name, value in values.items():
        if not isinstance(name, str) or not isinstance(value, str) or "\0" in value:
            raise ProtocolError(f"the variable {name!r} is not text")
        if not name.isidentifier() or not name.isascii():
            raise ProtocolError(f"{name!r} is not the name of a variable")
    return dict(values)


def _header_route(data: object) -> HeaderRoute | None:
    """Return the header of testers; both parts become words of a configuration."""
    found = data.get("header_route") if isinstance(data, dict) else None
    if found is None:
        return None
    return HeaderRoute(identifier(found, "header"), identifier(found, "value"))


def parse_revision(data: Any) -> DesiredRevision:
    """Read one revision of a state."""
    runtime = member(data, "runtime", dict)
    bento = digest(data, "bento_digest")
    again = data.get("bento_sha256") if isinstance(data, dict) else None
    if again is not None and "sha256:" + hex_digest(again) != bento:
        raise ProtocolError("'bento_sha256' differs from 'bento_digest'")
    return DesiredRevision(
        id=identifier(data, "id"),
        release=identifier(data, "release"),
        bento_digest=bento,
        bento_size=whole(data, "bento_size", 0, 1 << 50),
        runtime=RuntimeRef(digest(runtime, "digest"), member(runtime, "python_version", str)),
        permit=member(data, "permit", str),
        replicas=whole(data, "replicas", 0, 64),
        memory_mb=whole(data, "memory_mb", 16, 1 << 24),
        variables=_variables(data),
        weight=whole(data, "weight", 0, WHOLE),
        wanted=choice(data, "wanted", "run", "drain", "stop"),
        restart_nonce=member(data, "restart_nonce", int),
        salt=optional(data, "salt"),
        header_route=_header_route(data),
        mirror=whole({"mirror": 0} | dict(data), "mirror", 0, WHOLE),
        guard=read_guard(data),
    )


def parse_endpoint(data: object) -> DesiredEndpoint:
    """Read one endpoint of a state; its path must be what its names say."""
    slug, environment, name = (
        identifier(data, key) for key in ("project_slug", "environment", "name")
    )
    path = member(data, "path", str)
    if path != f"/{slug}/{environment}/{name}":
        raise ProtocolError(f"the path {path!r} is not the endpoint's own")
    return DesiredEndpoint(
        id=identifier(data, "id"),
        project=identifier(data, "project"),
        project_slug=slug,
        environment=environment,
        name=name,
        path=path,
        api_key_required=member(data, "api_key_required", bool),
        keys=tuple(hex_digest(key) for key in member(data, "keys", list)),
        revisions=tuple(parse_revision(item) for item in member(data, "revisions", list)),
        stable=optional(data, "stable"),
    )


def parse_state(data: object) -> DesiredState:
    """Read the payload of a state envelope; anything unexpected is a ``ProtocolError``."""
    if member(data, "v", int) != 1:
        raise ProtocolError("this state has a version that this agent does not know")
    checkpoint = data.get("checkpoint") if isinstance(data, dict) else None
    if checkpoint is not None and not isinstance(checkpoint, str):
        raise ProtocolError("'checkpoint' is not text")
    endpoints = tuple(parse_endpoint(item) for item in member(data, "endpoints", list))
    for values in (
        [e.id for e in endpoints],
        [e.path for e in endpoints],
        [r.id for e in endpoints for r in e.revisions],
    ):
        if len(values) != len(set(values)):
            raise ProtocolError("an endpoint or a revision stands twice in this state")
    return DesiredState(
        target=identifier(data, "target"),
        epoch=whole(data, "epoch", 0, 1 << 62),
        number=whole(data, "number", 0, 1 << 62),
        issued_at=parse_time(member(data, "issued_at", str)),
        valid_until=parse_time(member(data, "valid_until", str)),
        checkpoint=checkpoint,
        on_expired=choice(data, "on_expired", "serve", "stop"),
        recalled=frozenset("sha256:" + hex_digest(d) for d in member(data, "recalled", list)),
        endpoints=endpoints,
        prefetch=tuple(
            Prefetch(digest(item, "bento_digest"), digest(item, "runtime_digest"))
            for item in member(data, "prefetch", list)
        ),
        recalls=tuple(_envelope(item) for item in _recalls(data)),
    )


def _recalls(data: object) -> list[Any]:
    """Return the signed recalls, which an older platform does not send."""
    return member(data, "recalls", list) if isinstance(data, dict) and "recalls" in data else []


def _envelope(item: object) -> str:
    return canonical.dumps(member({"envelope": item}, "envelope", dict)).decode()
