"""What PostgreSQL reads for a query, as it says itself."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.support.database import owning_tables

# So few rows as tests have are joined whole, and in an order that a guess decides; in large tables
# by their keys, from what was found.
BY_KEYS = {
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "join_collapse_limit": "1",
}
# What other tests made and undid may have been counted meanwhile: many pages and no row in them.
UNCOUNTED = """
    SELECT pg_clear_relation_stats(schemaname, tablename) FROM pg_tables
    WHERE schemaname = current_schema
"""
UNKNOWN = """
    SELECT pg_clear_attribute_stats(schemaname, tablename, attname, inherited) FROM pg_stats
    WHERE schemaname = current_schema
"""


@contextmanager
def rows_read(*, by_keys: bool = False) -> Iterator[Counter[str]]:
    """Count, table by table, the rows that the queries of this block read, once it has ended."""
    read: Counter[str] = Counter()
    with CaptureQueriesContext(connection) as caught:
        yield read
    queries = [query["sql"] for query in caught if query["sql"].startswith("SELECT")]
    with transaction.atomic(), connection.cursor() as cursor:
        if by_keys:
            _as_in_large_tables()
        for query in queries:
            cursor.cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
            [[plan]] = cursor.fetchall()
            _count(plan[0]["Plan"] if isinstance(plan, list) else json.loads(plan)[0]["Plan"], read)
        transaction.set_rollback(True)


def _as_in_large_tables() -> None:
    with owning_tables(), connection.cursor() as cursor:
        cursor.execute(UNCOUNTED)
        cursor.execute(UNKNOWN)
        for name, value in BY_KEYS.items():
            cursor.execute(f"SET LOCAL {name} = {value}")


def analyze(*tables: str) -> None:
    """Have PostgreSQL count the rows of tables, as their owner: it lets nobody else, and says so in
    a warning alone. It may have counted none by itself while another test ran."""
    with owning_tables(), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ANALYZE {table}")


def _count(node: dict[str, Any], read: Counter[str]) -> None:
    if table := node.get("Relation Name"):
        rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        read[table] += round(rows * node["Actual Loops"])
    for below in node.get("Plans", ()):
        _count(below, read)
