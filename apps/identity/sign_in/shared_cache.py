"""Django's cache in a table, shared by all web processes: what sign-in counts.

Sign-in limits and used one-time codes protect accounts, so they are neither kept by each process
nor in Valkey, which may be flushed. Values are JSON: Django's own backends unpickle what they find,
and whoever can write to the table must not be able to run code in the web process.
"""

import hashlib
import json
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.db import connection

LIVE = "expires_at > clock_timestamp()"
READ = f"SELECT value::text FROM identity_sharedvalue WHERE key = %s AND {LIVE}"  # noqa: S608
SET = """
INSERT INTO identity_sharedvalue AS old (key, value, expires_at)
VALUES (%s, %s::jsonb, clock_timestamp() + make_interval(secs => %s))
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
COUNT = f"""
UPDATE identity_sharedvalue SET value = to_jsonb(value::text::bigint + %s)
WHERE key = %s AND {LIVE} RETURNING value::text
"""  # noqa: S608
ADD = SET + " WHERE old.expires_at <= clock_timestamp()"
FOR_EVER = 10 * 366 * 86400.0


class SharedCache(BaseCache):
    """Keys are stored as hashes: they hold addresses and codes."""

    def __init__(self, _location: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Return the value of ``key``, or ``default`` when there is none that lives."""
        with connection.cursor() as cursor:
            cursor.execute(READ, [self._name(key, version)])
            row = cursor.fetchone()
        return json.loads(row[0]) if row else default

    def set(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        """Write ``value``."""
        self._write(SET, key, value, timeout, version)

    def add(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Write ``value`` where there is none that lives; of two that come at once one wins."""
        return self._write(ADD, key, value, timeout, version)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add ``delta`` to a number; of many that come at once each counts."""
        with connection.cursor() as cursor:
            cursor.execute(COUNT, [delta, self._name(key, version)])
            row = cursor.fetchone()
        if row is None:
            raise ValueError(f"there is no number under {key!r}")
        return int(row[0])

    def delete(self, key: str, version: int | None = None) -> bool:
        """Remove ``key``."""
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM identity_sharedvalue WHERE key = %s", [self._name(key, version)]
            )
            return bool(cursor.rowcount)

    def clear(self) -> None:
        """Remove everything."""
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM identity_sharedvalue")

    def _write(
        self, statement: str, key: str, value: Any, timeout: float | None, version: int | None
    ) -> bool:
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        lives = FOR_EVER if seconds is None else max(0.0, float(seconds))
        with connection.cursor() as cursor:
            cursor.execute(statement, [self._name(key, version), json.dumps(value), lives])
            return bool(cursor.rowcount)

    def _name(self, key: str, version: int | None) -> str:
        return hashlib.sha256(self.make_key(key, version=version).encode()).hexdigest()


def forget_expired() -> int:
    """Remove what no longer lives; return how many."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM identity_sharedvalue WHERE expires_at <= clock_timestamp()")
        return int(cursor.rowcount)
