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
    rows: Rows
    sequences: list[tuple[str, int]]
    made: bytes


_first: Rows = {}  # what the migrations made
_kept: dict[str, _Kept] = {}


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


def once(name: str, make: Callable[[], T]) -> T:
    """Return what ``make`` returns, with the rows that it makes; only the first time by calling it.

    ``name`` says which. It is called as well where the test has made rows before, or has moved the
    clock. What lies in files is not put back, nor is the time: what grows stale within minutes is
    no good here.
    """
    if not (_first and _is_first()):
        return make()
    if name not in _kept:
        made = make()
        with connection.cursor() as cursor, _owning(cursor):
            rows = {t: r for t, r in _copied(cursor, _first).items() if r != _first[t]}
            cursor.execute(SEQUENCES)
            _kept[name] = _Kept(rows, cursor.fetchall(), pickle.dumps(made))
        return made
    with connection.cursor() as cursor, _owning(cursor):
        _put(cursor, _kept[name].rows)
        for sequence, value in _kept[name].sequences:
            cursor.execute("SELECT setval(%s, %s)", [sequence, value])
    again: T = pickle.loads(_kept[name].made)
    return again


def _is_first() -> bool:
    """Tell whether the database holds what the migrations made, and the clock is the machine's."""
    empty = [table for table, rows in _first.items() if not rows]
    others = " UNION ALL ".join(f'(SELECT 1 FROM "{table}" LIMIT 1)' for table in empty)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT extract(epoch FROM clock_timestamp())::float, EXISTS ({others} LIMIT 1)"
        )
        clock, written = cursor.fetchone()
        if written or abs(clock - time.time()) > 5:
            return False
        with _owning(cursor):
            filled = {table: rows for table, rows in _first.items() if rows}
            return _copied(cursor, filled) == filled


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
