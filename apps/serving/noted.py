"""How often a node may do what it does over and over, and the log says it."""

from datetime import datetime, timedelta

from apps.serving.models import Node
from placet.kernel.clock import now, rfc3339

MINUTE = timedelta(minutes=1)


def first_in_a_minute(node: Node, what: str) -> bool:
    """Tell whether ``what`` may be logged of ``node`` now, and note that it was.

    The caller holds the node's row, and saves it: of two reports the second sees what the first
    noted.
    """
    at = now()
    kept = _last_minute(node, at)
    if what in kept:
        return False
    node.noted = {**kept, what: rfc3339(at)}
    return True


def take(node: Node, what: str, wanted: int, most: int) -> bool:
    """Tell whether ``node`` has ``wanted`` left of the ``most`` that a minute has of ``what``, and
    note that it took them. As above the caller holds the row, and saves it."""
    at = now()
    kept = _last_minute(node, at)
    free = [name for n in range(most) if (name := f"{what} {n}") not in kept]
    if len(free) < wanted:
        return False
    node.noted = {**kept, **dict.fromkeys(free[:wanted], rfc3339(at))}
    return True


def _last_minute(node: Node, at: datetime) -> dict[str, str]:
    """Return what was noted within a minute of ``at``: a clock may be set back."""
    noted = node.noted.items()
    return {n: moment for n, moment in noted if abs(at - datetime.fromisoformat(moment)) < MINUTE}
