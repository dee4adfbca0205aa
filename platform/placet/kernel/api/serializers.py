"""The base of serializers whose answers are written often: DRF's, with the reading worked out once.

DRF asks every field of every row how it is read; for a list of fifty that is most of the answer's
time. Which attribute a field reads and how its value is written depends on the class alone, so it
is worked out at the first use of the class.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.fields import SkipField

Read = Callable[[Any], Any]


class Serializer(serializers.Serializer[Any]):
    """Writes what DRF's own would write. Fields must not depend on the serializer's context."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return ``instance`` as JSON values; DRF's own way where a row lacks something."""
        try:
            return {name: read(instance) for name, read in plan(type(self))}
        except (AttributeError, KeyError, SkipField):
            representation: dict[str, Any] = super().to_representation(instance)
            return representation


@cache
def plan(serializer: type[Serializer]) -> tuple[tuple[str, Read], ...]:
    """Return how each readable field of ``serializer`` is read off a row."""
    fields = serializer().fields.items()
    return tuple((name, reader(field)) for name, field in fields if not field.write_only)


def reader(field: Any) -> Read:
    """Return the function that reads and writes one field."""
    write = WRITERS.get(type(field))
    if write is None and not isinstance(field, serializers.JSONField):
        return lambda row: _by_drf(field, row)
    names = tuple(field.source_attrs)

    def read(row: Any) -> Any:
        for name in names:
            row = row[name] if isinstance(row, Mapping) else getattr(row, name)
        value = row() if callable(row) else row
        return value if value is None or write is None else write(value)

    return read


def _by_drf(field: Any, row: Any) -> Any:
    value = field.get_attribute(row)
    return None if value is None else field.to_representation(value)


def _text(value: Any) -> Any:
    return value if type(value) is str else str(value)


def _choice(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _time(value: Any) -> Any:
    if type(value) is datetime and value.tzinfo is UTC:
        return value.isoformat().removesuffix("+00:00") + "Z"
    return _TIME.to_representation(value)


_TIME = serializers.DateTimeField()
WRITERS: dict[type, Read] = {
    serializers.CharField: _text,
    serializers.IntegerField: int,
    serializers.ChoiceField: _choice,
    serializers.DateTimeField: _time,
}
