"""Rows that the log vouches for: what was written beside the log does not pass for them."""

import json
from collections.abc import Iterable
from typing import Any

from apps.audit.actions.state import plain_state, row_key
from apps.audit.models import Audited, Event
from apps.audit.queries.events import touching


def logged_states(rows: Iterable[Audited]) -> dict[str, dict[str, Any] | None]:
    """Return the last state that the log holds of each row, by row key (one query).

    A row that the log never saw is missing, one that it saw deleted is ``None``.
    """
    keys = {row_key(row): str(row.pk) for row in rows}
    if not keys:
        return {}
    states: dict[str, dict[str, Any] | None] = {}
    found = touching(Event.objects.all(), keys.values()).order_by("index")
    for body in found.values_list("body", flat=True).iterator(chunk_size=100):
        states.update({k: s for k, s in json.loads(body)["after"].items() if k in keys})
    return states


def is_logged(row: Audited, states: dict[str, dict[str, Any] | None]) -> bool:
    """Tell whether ``row`` is, column by column, what the log says of it last.

    For rows without sealed columns: those are commitments in the log and text in the row.
    """
    return states.get(row_key(row)) == plain_state(row)
