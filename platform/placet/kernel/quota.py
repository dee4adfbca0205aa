"""Counts requests by the minute, for all web processes together.

The counts are kept in Valkey, which may be flushed, restarted or down at any time: a quota shares
the server out, it protects no secret. A flush lets the running minute begin anew. While Valkey does
not answer each process counts by itself, so that the limit still holds within each of them.
"""

import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache

import structlog
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from placet.kernel.clock import now
from placet.kernel.config import config

WINDOW = 60  # seconds
PATIENCE = 0.25  # seconds that a request waits for Valkey at most
SILENCE = 5.0  # seconds without asking it after it did not answer

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of ``quota`` the running minute has used, this request included."""

    used: int
    quota: int
    resets_in: int  # seconds

    @property
    def exceeded(self) -> bool:
        """Tell whether this request is one too many."""
        return self.used > self.quota

    @property
    def remaining(self) -> int:
        """How many more requests the running minute allows."""
        return max(0, self.quota - self.used)


@dataclass
class QuotaMeter:
    """Counts in the Valkey at ``url``, in Celery's way of writing it; alone when there is none."""

    url: str
    _silent_until: float = 0.0
    _minute: int = 0
    _own: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._valkey = connect(self.url)

    def count(self, name: str, quota: int) -> Usage:
        """Count one request of ``name`` and say where that leaves it."""
        at = now().timestamp()
        minute = int(at // WINDOW)
        used = self._ask(f"placet:quota:{name}:{minute}")
        if used is None:
            used = self._alone(name, minute)
        return Usage(used, quota, WINDOW - int(at % WINDOW))

    def _ask(self, key: str) -> int | None:
        if self._valkey is None or time.monotonic() < self._silent_until:
            return None
        try:
            with self._valkey.pipeline(transaction=False) as both:
                both.incr(key)
                both.expire(key, 2 * WINDOW)
                return int(both.execute()[0])
        except RedisError as error:
            self._silent_until = time.monotonic() + SILENCE
            log.warning("quota_counted_alone", error=type(error).__name__)
            return None

    def _alone(self, name: str, minute: int) -> int:
        with self._lock:
            if minute != self._minute:
                self._minute, self._own = minute, {}
            self._own[name] = self._own.get(name, 0) + 1
            return self._own[name]


def connect(url: str) -> "Redis | None":
    """Return a client for Celery's address of the broker; ``None`` where that is no Valkey."""
    address = url.replace("redis+socket://", "unix://", 1)
    if not address.startswith(("unix://", "redis://", "rediss://")):
        return None
    return Redis.from_url(
        address,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 1),  # a connection may be stale after a restart
    )


@lru_cache
def meter() -> QuotaMeter:
    """Return this process's meter."""
    return QuotaMeter(config().broker_url)
