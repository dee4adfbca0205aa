"""The database as somebody sees it who has the application's role, and nothing else."""

from django.db import connection


def sql(statement: str, *values: object) -> None:
    """Run a statement as the application's role; it must change something."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        row = cursor.fetchone()
        assert row is not None and row[0] == "placet_app"
        cursor.execute(statement, values)
        assert cursor.rowcount >= 1
