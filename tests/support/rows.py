"""Rows that real actions made once, put back for every further test of this worker.

A project with its people takes half a second to make, and a thousand tests begin with one.
"""

import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connection, transaction

T = TypeVar("T")

TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
"""
SEQUENCES = """
SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences
WHERE schemaname = 'public' AND last_value IS NOT NULL
"""
Rows = dict[str, bytes]  # by table, as COPY writes them


@dataclass(frozen=True, slots=True)
class _Kept:
    upon: "_Kept | None"  # what had been made or put back before
    rows: Rows
    sequences: list[tuple[str, int]]
    made: bytes
    since: float


@dataclass(slots=True)
class _Standing:
    """What the last ``once`` left: by which name, and with which rows."""

    name: str
    kept: _Kept | None
    rows: Rows


_first: Rows = {}  # what the migrations made
_kept: dict[str, _Kept] = {}
_standing = _Standing("", None, {})


def remember_first() -> None:
    """Note every row of a database that was just made."""
    with connection.cursor() as cursor, _owning(cursor):
        cursor.execute(TABLES)
        _first.update(_copied(cursor, [table for (table,) in cursor.fetchall()]))


def forget_all() -> None:
    """Bring every table back to what the migrations made, and count from the beginning."""
    with connection.cursor() as cursor, _owning(cursor):
        _put(cursor, _first)
        cursor.execute(
            "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)"
            " FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL"
        )


def once(
    name: str,
    make: Callable[[], T],
    *,
    upon: str = "",
    lasts: float = float("inf"),
    lately: tuple[str, str] | None = None,
) -> T:
    """Return what ``make`` returns, with the rows that it makes; only the first time by calling it.

    ``name`` says which, ``upon`` what was made or put back before: nothing where that is not said.
    It is called as well where the test has made other rows, or has moved the clock. What lies in
    files is not put back, nor is the time: what grows stale ``lasts`` so many seconds, and
    ``lately`` names table and column of a time that must have been a moment ago.
    """
    base = _Standing("", None, {}) if not upon else _standing
    if not _first or base.name != upon or not _holds(base.rows):
        return make()
    kept = _kept.get(name)
    if kept is None or kept.upon is not base.kept or time.monotonic() - kept.since > lasts:
        return _keep(name, base.kept, make)
    rows = kept.rows
    with connection.cursor() as cursor, _owning(cursor):
        _put(cursor, {table: _first[table] for table in base.rows.keys() - rows} | rows)
        for sequence, value in kept.sequences:
            cursor.execute("SELECT setval(%s, %s)", [sequence, value])
        if lately is not None:
            table, column = lately
            cursor.execute(f'UPDATE "{table}" SET "{column}" = clock_timestamp()')
            rows = rows | _copied(cursor, [table])
    _stands(name, kept, rows)
    again: T = pickle.loads(kept.made)
    return again


def _keep(name: str, upon: _Kept | None, make: Callable[[], T]) -> T:
    """Call ``make``, and keep what it returns with every row that is there then."""
    made, since = make(), time.monotonic()
    with connection.cursor() as cursor, _owning(cursor):
        rows = _differing(cursor)
        cursor.execute(SEQUENCES)
        _kept[name] = _Kept(upon, rows, cursor.fetchall(), pickle.dumps(made), since)
    _stands(name, _kept[name], rows)
    return made


def _stands(name: str, kept: _Kept, rows: Rows) -> None:
    _standing.name, _standing.kept, _standing.rows = name, kept, rows


def _holds(rows: Rows) -> bool:
    """Tell whether the database holds these rows beside what the migrations made, nothing else, and
    the clock is the machine's."""
    wanted = _first | rows
    empty = [table for table, lines in wanted.items() if not lines]
    others = " UNION ALL ".join(f'(SELECT 1 FROM "{table}" LIMIT 1)' for table in empty)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT extract(epoch FROM clock_timestamp())::float, EXISTS ({others} LIMIT 1)"
        )
        clock, written = cursor.fetchone()
        if written or abs(clock - time.time()) > 5:
            return False
        with _owning(cursor):
            filled = {table: lines for table, lines in wanted.items() if lines}
            found = _copied(cursor, filled)
    return all(_same(found[table], lines) for table, lines in filled.items())


def _same(some: bytes, others: bytes) -> bool:
    """Tell whether both are the same rows, which PostgreSQL may keep in another order."""
    return some == others or sorted(some.splitlines()) == sorted(others.splitlines())


def _differing(cursor: Any) -> Rows:
    """Return the rows of every table that does not hold what the migrations made."""
    return {t: lines for t, lines in _copied(cursor, _first).items() if lines != _first[t]}


@contextmanager
def _owning(cursor: Any) -> Iterator[None]:
    """Be who owns the tables, whom no trigger stops; a fault undoes that too."""
    with transaction.atomic():
        cursor.execute("RESET ROLE; SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = origin; SET ROLE placet_app")


def _copied(cursor: Any, tables: Any) -> Rows:
    found = {}
    for table in tables:
        with cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
            found[table] = b"".join(copy)
    return found


def _put(cursor: Any, rows: Rows) -> None:
    """Have these tables hold these rows; TRUNCATE makes new files for each, which takes longer."""
    cursor.execute(";".join(f'DELETE FROM "{table}"' for table in rows))
    for table, lines in rows.items():
        if lines:
            with cursor.copy(f'COPY "{table}" FROM STDIN') as copy:
                copy.write(lines)
