"""Rows that real actions made once, put back for every further test of this worker.

A project with its people takes half a second to make, and hundreds of tests begin with one.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connection

T = TypeVar("T")

TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
"""
SEQUENCES = """
SELECT format('%I.%I', schemaname, sequencename), last_value FROM pg_sequences
WHERE schemaname = 'public' AND last_value IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class _Kept:
    rows: dict[str, bytes]  # by table, as COPY writes them
    sequences: list[tuple[str, int]]
    made: bytes


ALWAYS = ("audit_loghead", "audit_personkey")  # a database has rows of these from the first

_kept: dict[str, _Kept] = {}
_empty: list[str] = []  # the tables that nobody has written to when a test begins


def once(name: str, make: Callable[[], T]) -> T:
    """Return what ``make`` returns, with the rows that it makes; only the first time by calling it.

    ``name`` says which. Where the test has made rows already, it is called again.
    """
    with connection.cursor() as cursor:
        if not _untouched(cursor):
            return make()
        if name in _kept:
            _put_back(cursor, _kept[name])
            made: T = pickle.loads(_kept[name].made)
            return made
        made = make()
        _kept[name] = _taken(cursor, made)
        return made


def _untouched(cursor: Any) -> bool:
    cursor.execute("SELECT size FROM audit_loghead")
    if cursor.fetchone() != (0,):
        return False
    if not _empty:
        cursor.execute(TABLES)
        _empty.extend(name for (name,) in cursor.fetchall() if name not in ALWAYS)
    found = " UNION ALL ".join(f'(SELECT 1 FROM "{name}" LIMIT 1)' for name in _empty)
    cursor.execute(found + " LIMIT 1")
    return cursor.fetchone() is None


def _taken(cursor: Any, made: object) -> _Kept:
    cursor.execute("RESET ROLE")
    rows = {}
    for table in (*_empty, *ALWAYS):
        with cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
            rows[table] = b"".join(copy)
    cursor.execute(SEQUENCES)
    sequences = cursor.fetchall()
    cursor.execute("SET ROLE placet_app")
    return _Kept({t: found for t, found in rows.items() if found}, sequences, pickle.dumps(made))


def _put_back(cursor: Any, kept: _Kept) -> None:
    cursor.execute("RESET ROLE; SET session_replication_role = replica")
    for table in ALWAYS:
        cursor.execute(f"DELETE FROM {table}")
    for table, rows in kept.rows.items():
        with cursor.copy(f'COPY "{table}" FROM STDIN') as copy:
            copy.write(rows)
    for name, value in kept.sequences:
        cursor.execute("SELECT setval(%s, %s)", [name, value])
    cursor.execute("SET session_replication_role = origin; SET ROLE placet_app")
