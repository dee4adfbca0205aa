"""Bodies of events as they stand in rows that somebody may have written over, past the actions.

What is no event any more is shown as that, and fails no page: who verifies the log is told where.
"""

import json
from typing import Any

from django.db.models import BooleanField, F, Func

from placet_verify import times
from placet_verify.errors import Malformed

CHANGED = "This event was changed after it was logged: it is not what its hash says"
NOBODY = {"kind": "", "id": "", "accountable": "", "token": None}
BLANK: dict[str, Any] = {
    "kind": "",
    "at": "",
    "actor_id": "",
    "actor": NOBODY,
    "cause": {},
    "subject": "",
    "project": None,
    "environment": None,
    "data": {},
    "after": {},
}

# Whether a body still is what its leaf says: one hash, of rows that are read anyway.
INTACT = Func(
    F("body"),
    F("leaf_hash"),
    template="(sha256('\\x00'::bytea || convert_to(%(expressions)s))",
    arg_joiner=", 'UTF8')) = (",
    output_field=BooleanField(),
)


def is_event(said: Any) -> bool:
    """Tell whether a body, with or without its states, has what every event has."""
    match said:
        case {
            "kind": str(),
            "at": str(at),
            "actor_id": str(),
            "actor": {"kind": str(), "id": str(), "accountable": str(), "token": None | str()},
            "cause": dict(),
            "subject": str(),
            "project": None | str(),
            "environment": None | str(),
            "data": dict(),
            **rest,
        }:
            return _is_time(at) and isinstance(rest.get("after", {}), dict)
    return False


def _is_time(text: str) -> bool:
    try:
        times.parse(text)
    except Malformed:
        return False
    return True


def body_of(text: str) -> dict[str, Any]:
    """Return a body as it was logged; a blank one for what is none."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return BLANK
    return said if is_event(said) else BLANK


def states_of(body: Any) -> dict[str, dict[str, Any] | None]:
    """Return the states of rows that a body holds, of those that are states."""
    after = body.get("after") if isinstance(body, dict) else None
    if not isinstance(after, dict):
        return {}
    return {key: row for key, row in after.items() if row is None or isinstance(row, dict)}
