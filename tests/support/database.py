"""The database as the application's role sees it, which has nothing else, and as its owner does."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


def sql(statement: str, *values: object) -> None:
    """Run a statement as the application's role; it must change something."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        row = cursor.fetchone()
        assert row is not None and row[0] == "placet_app"
        cursor.execute(statement, values)
        assert cursor.rowcount >= 1


@contextmanager
def owning_tables() -> Iterator[None]:
    """Be the role that owns the tables, as the operator's commands are."""
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        try:
            yield
        finally:
            cursor.execute("SET ROLE placet_app")


@contextmanager
def as_superuser() -> Iterator[None]:
    """Do everything that PostgreSQL can be made to do, triggers off."""
    with owning_tables(), connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = origin")
