"""States as a column offers them, and compare-and-set on a row's state."""

from enum import StrEnum
from typing import Any, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


def choices_of(states: type[StrEnum]) -> list[tuple[str, str]]:
    """Return what a column offers of ``states``, labelled as Django labels enums of its own."""
    return [(s.value, s.name.replace("_", " ").title()) for s in states]


def values_of(states: type[StrEnum]) -> list[str]:
    """Return ``states`` as plain text, for a schema."""
    return [s.value for s in states]


def move(row: M, *, expected: str | tuple[str, ...], to: str, **changes: Any) -> bool:
    """Move ``row.state`` from ``expected`` to ``to`` in one UPDATE and write ``changes`` with it.

    Rows that carry a ``generation`` are matched on it too and it goes up by one. Returns ``False``
    when the row was not in an expected state any more: somebody else was first. On success the
    instance in hand is brought up to date.
    """
    states = (expected,) if isinstance(expected, str) else expected
    match: dict[str, Any] = {"pk": row.pk, "state__in": states}
    fields = {"state": to, **changes}
    if hasattr(row, "generation"):
        match["generation"] = row.generation
        fields["generation"] = row.generation + 1
    manager: models.Manager[M] = type(row)._default_manager
    if not manager.filter(**match).update(**fields):
        return False
    for name, value in fields.items():
        setattr(row, name, value)
    return True
