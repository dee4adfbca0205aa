"""How an answer's JSON becomes a typed, frozen record."""

import types
import typing
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any, Self, cast

from placet_client.errors import BadAnswer

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the server answered.

    ``raw`` is all of it, members too that this release of the client has no field for; ``etag``
    is what a change of it sends as ``If-Match`` (of lists it is empty).
    """

    raw: Json = field(repr=False, compare=False)
    etag: str = field(default="", repr=False, compare=False)

    @classmethod
    def read(cls, body: object, etag: str = "") -> Self:
        """Read ``body``; raise :class:`BadAnswer` naming the member that is not as promised."""
        return cls._read(body, "", etag)

    @classmethod
    def _read(cls, body: object, where: str, etag: str = "") -> Self:
        if not isinstance(body, dict):
            raise _unexpected(where, "an object", body)
        values = {
            name: _value(hint, body.get(name), f"{where}/{name}")
            for name, hint in _hints(cast(Hashable, cls)).items()
        }
        return cls(raw=body, etag=etag, **values)


@cache
def _hints(record: Any) -> Mapping[str, Any]:
    """Return the fields that come from the server's JSON, with their types."""
    known = typing.get_type_hints(record)
    return {f.name: known[f.name] for f in fields(record) if f.name not in ("raw", "etag")}


def _value(hint: Any, value: Any, where: str) -> Any:
    """Return ``value`` as ``hint`` says it is."""
    if hint is Any:
        return value
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        inner = next(part for part in parts if part is not type(None))
        return None if value is None else _value(inner, value, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise _unexpected(where, "a list", value)
        return tuple(_value(parts[0], item, f"{where}/{i}") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise _unexpected(where, "an object", value)
        return {name: _value(parts[1], item, f"{where}/{name}") for name, item in value.items()}
    if issubclass(hint, Record):
        return hint._read(value, where)
    return _plain(hint, value, where)


def _plain(hint: type, value: Any, where: str) -> Any:
    if hint is datetime:
        try:
            return datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise _unexpected(where, "a time", value) from None
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise _unexpected(where, hint.__name__, value)
    return value


def _unexpected(where: str, wanted: str, value: object) -> BadAnswer:
    actual = "nothing" if value is None else type(value).__name__
    return BadAnswer(
        0, "bad_answer", f"The answer's {where or '/'} should be {wanted}, not {actual}"
    )
