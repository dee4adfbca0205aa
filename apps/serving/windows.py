"""Which of the windows that nodes measure are taken in, and how many at a time."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from placet.kernel.clock import now
from placet_protocol.report import MetricWindow
from placet_protocol.signing import MAX_SKEW_SECONDS

KEEP_DAYS = 30
AHEAD = timedelta(seconds=MAX_SKEW_SECONDS)  # as far as a node's clock may be
# An agent sends at most 500 at once: every 10 s, and every 5 s as long as it catches up.
PORTION = 500
PORTIONS_A_MINUTE = 24


def portions(windows: Sequence[MetricWindow]) -> int:
    """Return how many of the portions that a node has in a minute ``windows`` are."""
    return -(-len(windows) // PORTION)


def kept_period() -> tuple[datetime, datetime]:
    """Return from when until when a window that is kept may have begun."""
    return now() - timedelta(days=KEEP_DAYS), now() + AHEAD


def timely(windows: Iterable[MetricWindow]) -> list[MetricWindow]:
    """Return those of ``windows`` that are kept."""
    first, last = kept_period()
    return [w for w in windows if first <= datetime.fromisoformat(w["started_at"]) <= last]
