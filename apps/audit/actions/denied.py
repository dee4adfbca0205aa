"""A refused write leaves an event, in a transaction of its own."""

import threading
import time

from apps.audit.actions.record import record
from apps.audit.events import ACCESS_DENIED
from placet.kernel.actor import Actor

MOST = 30  # events of one actor in one process ...
WITHIN = 60.0  # ... in so many seconds: a program in a loop must not flood a log that keeps all
_recent: dict[str, list[float]] = {}
_lock = threading.Lock()


def log_denied(
    actor: Actor,
    code: str,
    path: str,
    *,
    method: str = "",
    subject: str = "",
    project: str | None = None,
) -> bool:
    """Log that ``actor`` was refused; ``False`` when too many such events came just before.

    ``code`` is the problem's code or a permission name, ``path`` a route pattern: never text that
    a client chose.
    """
    if not _may_log(actor.id):
        return False
    with record(actor) as log:
        log.add(
            ACCESS_DENIED,
            subject=subject,
            project=project,
            data={"action": code[:80], "route": path[:200], "method": method[:10]},
        )
    return True


def _may_log(actor_id: str) -> bool:
    now = time.monotonic()
    with _lock:
        if len(_recent) > 10_000:
            _recent.clear()
        times = [t for t in _recent.get(actor_id, []) if now - t < WITHIN]
        allowed = len(times) < MOST
        _recent[actor_id] = [*times, now] if allowed else times
        return allowed
