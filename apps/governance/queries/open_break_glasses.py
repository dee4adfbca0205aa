"""Break-glasses that are open, as every page says of them: read beside other rows, as JSON."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.governance.rules import STARTED, BreakGlassState, ReleaseState
from apps.serving.rules import EndpointState

GLASS = {  # what every page says of an open break-glass
    "id": "pk",
    "state": "state",
    "until": "until",
    "used": "used_at",
    "due": "review_due_at",
    "release": "release__state",
    "endpoint": "release__endpoint__state",
    "model": "release__version__model__name",
    "number": "release__version__number",
    "environment": "release__environment__name",
    "project": "release__project__name",
}


@dataclass(frozen=True, slots=True)
class VisibleBreakGlass:
    """A break-glass that is open now, as every page shows it."""

    id: str
    state: str
    until: datetime
    version: str
    environment: str
    project: str
    release: str = ReleaseState.REQUESTED  # the state of what it is for
    review_due_at: datetime | None = None
    used: bool = False  # a rollout was started by it
    endpoint: str = EndpointState.ACTIVE  # the state of where that is


def glasses_beside(rows: Iterable[Any]) -> list[VisibleBreakGlass]:
    """Return those that were read beside ``rows`` (as their ``glass``), which ends first first."""
    glasses = [_shown(row.glass) for row in rows if row.glass]
    return sorted(glasses, key=lambda glass: glass.until)


def is_needless(state: str, release: str) -> bool:
    """Tell whether nobody can confirm one any more: its release goes on without it."""
    return state == BreakGlassState.OPENED and release != ReleaseState.REQUESTED


def is_spent(state: str, release: str, used: object) -> bool:
    """Tell whether one that has not ended starts nothing more, unless that fails: it started what
    it is for."""
    return state == BreakGlassState.CONFIRMED and bool(used) and release in STARTED


def _shown(glass: dict[str, Any]) -> VisibleBreakGlass:
    due = glass["due"]
    return VisibleBreakGlass(
        glass["id"],
        glass["state"],
        datetime.fromisoformat(glass["until"]),
        f"{glass['model']}:{glass['number']}",
        glass["environment"],
        glass["project"],
        glass["release"],
        datetime.fromisoformat(due) if due else None,
        bool(glass["used"]),
        glass["endpoint"],
    )
