"""How much is taken in a day of what services captured, and of outcomes that wait for it.

Services are other people's code, and write what they like; clients may name predictions that nobody
made. Without a bound they fill the database.
"""

import logging

from django.core.cache import cache

from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.problems import QuotaReached

log = logging.getLogger(__name__)

DAY_BYTES = 4 << 30  # of lines of one revision, before compression
LEAST_BYTES = 4096  # that lines which came together count as: their row takes room as well
SAY_SECONDS = 60.0
_DAY_SECONDS = 86_400.0


def fits(revision: str, lines: bytes, packed: int) -> bool:
    """Count lines of a revision that came in ``packed`` bytes; tell whether they are kept.

    A node sends one after the other, so none is counted over another. The caller's transaction
    takes the count back with everything else.
    """
    key = f"captured {revision} {now().date()}"
    taken, dropped = cache.get(key, (0, 0))
    kept = bool(taken < DAY_BYTES)
    if kept:
        taken += max(len(lines), packed, LEAST_BYTES)
    else:
        dropped += lines.count(b"\n")
    cache.set(key, (taken, dropped), _DAY_SECONDS)
    if not kept and cache.add(f"captured said {revision}", 1, SAY_SECONDS):
        log.warning(
            "revision %s captured more than %s bytes today: %s lines are dropped so far",
            revision,
            DAY_BYTES,
            dropped,
        )
    return kept


def count_waiting(endpoint: str, outcomes: int) -> None:
    """Count outcomes of an endpoint that came before their prediction.

    Raises :class:`QuotaReached` where they are more than of one day may wait. The caller holds the
    endpoint's lock, and its transaction takes the count back with everything else.
    """
    key = f"outcomes waiting {endpoint} {now().date()}"
    taken, most = cache.get(key, 0) + outcomes, config().max_waiting_outcomes
    if outcomes and taken > most:
        raise QuotaReached(
            f"{taken:,} outcomes of today would wait for a prediction that was not captured",
            most,
            remedy="report those of captured predictions",
            setting="PLACET_MAX_WAITING_OUTCOMES",
        )
    cache.set(key, taken, _DAY_SECONDS)
