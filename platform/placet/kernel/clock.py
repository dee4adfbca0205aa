"""The one place that reads the wall clock, so that tests can move it."""

from datetime import UTC, datetime

from django.db import connection


def now() -> datetime:
    """Return the current instant, aware, in UTC."""
    return datetime.now(tz=UTC)


def database_now() -> datetime:
    """Return PostgreSQL's ``clock_timestamp()``: the clock that leases and the log go by."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    value: datetime = row[0]
    return value.astimezone(UTC)


def rfc3339(value: datetime) -> str:
    """Return ``value`` as RFC 3339 in UTC with microseconds."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
