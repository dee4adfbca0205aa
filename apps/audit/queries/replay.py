"""Rows from the log alone."""

import json
from collections.abc import Iterator
from typing import Any

from apps.audit.models import Event


def replay() -> dict[str, dict[str, Any]]:
    """Return the last state of every row that still exists, by row key, from the log alone."""
    states: dict[str, dict[str, Any] | None] = {}
    for after in afters():
        states.update(after)
    return {key: state for key, state in states.items() if state is not None}


def afters() -> Iterator[dict[str, dict[str, Any] | None]]:
    """Yield ``after`` of each event, in order."""
    bodies = Event.objects.order_by("index").values_list("body", flat=True)
    for body in bodies.iterator(chunk_size=500):
        yield json.loads(body)["after"]
