"""Reads members of a message strictly: what is not as the protocol says is a ``ProtocolError``."""

import re
from datetime import UTC, datetime
from typing import Any, TypeVar

T = TypeVar("T")
MAX_NAME, MAX_ENVIRONMENT = 60, 40
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


class ProtocolError(ValueError):
    """What came over the wire is not what the protocol says.

    ``pointer`` is a JSON pointer to the member at fault, where whoever reads knows it.
    """

    def __init__(self, sentence: str, pointer: str = "") -> None:
        super().__init__(sentence)
        self.pointer = pointer


def member(data: object, key: str, kind: type[T]) -> T:
    if not isinstance(data, dict) or key not in data:
        raise ProtocolError(f"{key!r} is missing")
    value = data[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ProtocolError(f"{key!r} is not of type {kind.__name__}")
    return value


def whole(data: object, key: str, low: int, high: int) -> int:
    value = member(data, key, int)
    if not low <= value <= high:
        raise ProtocolError(f"{key!r} is {value}, not between {low} and {high}")
    return value


def choice(data: object, key: str, *allowed: str) -> Any:
    value = member(data, key, str)
    if value not in allowed:
        raise ProtocolError(f"{key!r} is {value!r}, not one of {', '.join(allowed)}")
    return value


def hex_digest(text: object) -> str:
    """Return the 64 hex digits of a SHA-256 digest, with or without its ``sha256:`` prefix."""
    digits = str(text).removeprefix("sha256:")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ProtocolError(f"{text!r} is not a SHA-256 digest")
    return digits


def digest(data: object, key: str) -> str:
    return "sha256:" + hex_digest(member(data, key, str))


def identifier(data: object, key: str) -> str:
    """Return an id or a name; both become file names and parts of a configuration."""
    value = member(data, key, str)
    if (
        not value
        or len(value) > 80
        or not all((c.isalnum() and c.isascii()) or c in "-_" for c in value)
    ):
        raise ProtocolError(f"{key!r} is {value!r}, which is not an identifier")
    return value


def is_name(text: object, most: int = MAX_NAME) -> bool:
    """Tell whether a project, an environment or an endpoint may be called so in an address."""
    return isinstance(text, str) and len(text) <= most and _NAME.fullmatch(text) is not None


def name(data: object, key: str, most: int = MAX_NAME) -> str:
    """Return a part of an address."""
    value = member(data, key, str)
    if not is_name(value, most):
        raise ProtocolError(
            f"{key!r} is {value[:80]!r}, not at most {most} small letters, digits and hyphens, "
            "no hyphen first or last"
        )
    return value


def optional(data: object, key: str) -> str:
    """Return an identifier that an older platform does not send; '' when it is absent."""
    absent = isinstance(data, dict) and data.get(key) is None
    return "" if absent else identifier(data, key)


def parse_time(text: object) -> datetime:
    """Read an RFC 3339 time."""
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        if moment.tzinfo is None:
            raise ProtocolError(f"{str(text)[:40]!r} has no time zone")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # of year 1, an hour east of here
        if isinstance(error, ProtocolError):
            raise
        raise ProtocolError(f"{str(text)[:40]!r} is not a time") from error


def format_time(moment: datetime) -> str:
    """Write an RFC 3339 time in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
