"""Reads states and manifests strictly: what is not as the protocol says is refused whole."""

from collections.abc import Mapping
from typing import Any, TypeVar

from placet_agent.guard import ErrorRate, Guard, Latency
from placet_agent.protocol import (
    WHOLE,
    DesiredEndpoint,
    DesiredRevision,
    DesiredState,
    HeaderRoute,
    Prefetch,
    ProtocolError,
    RuntimeManifest,
    RuntimeRef,
    WheelEntry,
    parse_time,
)
from placet_verify import canonical

T = TypeVar("T")


def _get(data: object, key: str, kind: type[T]) -> T:
    if not isinstance(data, dict) or key not in data:
        raise ProtocolError(f"{key!r} is missing")
    value = data[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ProtocolError(f"{key!r} is not of type {kind.__name__}")
    return value


def _range(data: object, key: str, low: int, high: int) -> int:
    value = _get(data, key, int)
    if not low <= value <= high:
        raise ProtocolError(f"{key!r} is {value}, not between {low} and {high}")
    return value


def _choice(data: object, key: str, *allowed: str) -> Any:
    value = _get(data, key, str)
    if value not in allowed:
        raise ProtocolError(f"{key!r} is {value!r}, not one of {', '.join(allowed)}")
    return value


def hex_digest(text: object) -> str:
    """Return the 64 hex digits of a SHA-256 digest, with or without its ``sha256:`` prefix."""
    digits = str(text).removeprefix("sha256:")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ProtocolError(f"{text!r} is not a SHA-256 digest")
    return digits


def _digest(data: object, key: str) -> str:
    return "sha256:" + hex_digest(_get(data, key, str))


def _identifier(data: object, key: str) -> str:
    """Return an id or a name; both become file names and parts of a configuration."""
    value = _get(data, key, str)
    if (
        not value
        or len(value) > 80
        or not all((c.isalnum() and c.isascii()) or c in "-_" for c in value)
    ):
        raise ProtocolError(f"{key!r} is {value!r}, which is not an identifier")
    return value


def _optional(data: object, key: str) -> str:
    """Return an identifier that an older platform does not send; '' when it is absent."""
    absent = isinstance(data, dict) and data.get(key) is None
    return "" if absent else _identifier(data, key)


def _variables(data: object) -> Mapping[str, str]:
    values = _get(data, "variables", dict)
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
    return HeaderRoute(_identifier(found, "header"), _identifier(found, "value"))


def _share(data: object, key: str) -> float:
    value = data.get(key) if isinstance(data, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ProtocolError(f"{key!r} is {value!r}, not a share above 0")
    return float(value)


def _guard(data: object) -> Guard | None:
    """Return the rules by which the node takes requests back; one it does not know is refused."""
    found = data.get("guard") if isinstance(data, dict) else None
    if found is None:
        return None
    if unknown := set(_get({"guard": found}, "guard", dict)) - set(Guard.__dataclass_fields__):
        raise ProtocolError(f"this agent knows no guard {sorted(unknown)[0]!r}")
    rate, latency = found.get("error_rate"), found.get("latency")
    row = "consecutive_failures" in found
    return Guard(
        consecutive_failures=_range(found, "consecutive_failures", 1, 1 << 20) if row else None,
        error_rate=None if rate is None else ErrorRate(_share(rate, "at_most"), *_window(rate)),
        latency=None
        if latency is None
        else Latency(
            _share(latency, "quantile"),
            _range(latency, "at_most_ms", 1, 1 << 20),
            *_window(latency),
        ),
    )


def _window(data: object) -> tuple[int, int]:
    seconds = _range(data, "window_seconds", 1, 3600)
    return seconds, _range(data, "minimum_requests", 1, 1 << 30)


def parse_revision(data: Any) -> DesiredRevision:
    """Read one revision of a state."""
    runtime = _get(data, "runtime", dict)
    digest = _digest(data, "bento_digest")
    again = data.get("bento_sha256") if isinstance(data, dict) else None
    if again is not None and "sha256:" + hex_digest(again) != digest:
        raise ProtocolError("'bento_sha256' differs from 'bento_digest'")
    return DesiredRevision(
        id=_identifier(data, "id"),
        release=_identifier(data, "release"),
        bento_digest=digest,
        bento_size=_range(data, "bento_size", 0, 1 << 50),
        runtime=RuntimeRef(_digest(runtime, "digest"), _get(runtime, "python_version", str)),
        permit=_get(data, "permit", str),
        replicas=_range(data, "replicas", 0, 64),
        memory_mb=_range(data, "memory_mb", 16, 1 << 24),
        variables=_variables(data),
        weight=_range(data, "weight", 0, WHOLE),
        wanted=_choice(data, "wanted", "run", "drain", "stop"),
        restart_nonce=_get(data, "restart_nonce", int),
        salt=_optional(data, "salt"),
        header_route=_header_route(data),
        mirror=_range({"mirror": 0} | dict(data), "mirror", 0, WHOLE),
        guard=_guard(data),
    )


def parse_endpoint(data: object) -> DesiredEndpoint:
    """Read one endpoint of a state; its path must be what its names say."""
    slug, environment, name = (
        _identifier(data, key) for key in ("project_slug", "environment", "name")
    )
    path = _get(data, "path", str)
    if path != f"/{slug}/{environment}/{name}":
        raise ProtocolError(f"the path {path!r} is not the endpoint's own")
    return DesiredEndpoint(
        id=_identifier(data, "id"),
        project=_identifier(data, "project"),
        project_slug=slug,
        environment=environment,
        name=name,
        path=path,
        api_key_required=_get(data, "api_key_required", bool),
        keys=tuple(hex_digest(key) for key in _get(data, "keys", list)),
        revisions=tuple(parse_revision(item) for item in _get(data, "revisions", list)),
        stable=_optional(data, "stable"),
    )


def parse_state(data: object) -> DesiredState:
    """Read the payload of a state envelope; anything unexpected is a ``ProtocolError``."""
    if _get(data, "v", int) != 1:
        raise ProtocolError("this state has a version that this agent does not know")
    checkpoint = data.get("checkpoint") if isinstance(data, dict) else None
    if checkpoint is not None and not isinstance(checkpoint, str):
        raise ProtocolError("'checkpoint' is not text")
    endpoints = tuple(parse_endpoint(item) for item in _get(data, "endpoints", list))
    for values in (
        [e.id for e in endpoints],
        [e.path for e in endpoints],
        [r.id for e in endpoints for r in e.revisions],
    ):
        if len(values) != len(set(values)):
            raise ProtocolError("an endpoint or a revision stands twice in this state")
    return DesiredState(
        target=_identifier(data, "target"),
        epoch=_range(data, "epoch", 0, 1 << 62),
        number=_range(data, "number", 0, 1 << 62),
        issued_at=parse_time(_get(data, "issued_at", str)),
        valid_until=parse_time(_get(data, "valid_until", str)),
        checkpoint=checkpoint,
        on_expired=_choice(data, "on_expired", "serve", "stop"),
        recalled=frozenset("sha256:" + hex_digest(d) for d in _get(data, "recalled", list)),
        endpoints=endpoints,
        prefetch=tuple(
            Prefetch(_digest(item, "bento_digest"), _digest(item, "runtime_digest"))
            for item in _get(data, "prefetch", list)
        ),
        recalls=tuple(_envelope(item) for item in _recalls(data)),
    )


def _recalls(data: object) -> list[Any]:
    """Return the signed recalls, which an older platform does not send."""
    return _get(data, "recalls", list) if isinstance(data, dict) and "recalls" in data else []


def _envelope(item: object) -> str:
    return canonical.dumps(_get({"envelope": item}, "envelope", dict)).decode()


def parse_manifest(data: object) -> RuntimeManifest:
    """Read a runtime manifest; a wheel's name must be a plain file name."""
    wheels: list[WheelEntry] = []
    for item in _get(data, "wheels", list):
        name = _get(item, "name", str)
        if "/" in name or "\\" in name or not name.endswith(".whl") or name.startswith("."):
            raise ProtocolError(f"{name!r} is not the file name of a wheel")
        sha256 = hex_digest(_get(item, "sha256", str))
        wheels.append(WheelEntry(name=name, sha256=sha256, size=_range(item, "size", 0, 1 << 40)))
    return RuntimeManifest(
        python_version=_get(data, "python_version", str),
        lock=_get(data, "lock", str),
        wheels=wheels,
    )
