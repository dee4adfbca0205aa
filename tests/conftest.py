"""What every test stands on: a real PostgreSQL of this run's own, and the application's role."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

_cluster: Any = None
_folder: Path | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Start one PostgreSQL for the whole run; xdist workers inherit its address."""
    global _cluster, _folder
    if hasattr(config, "workerinput") or os.environ.get("PLACET_TEST_DATABASE"):
        return
    from placet.embedded.postgres import Cluster

    _folder = Path(tempfile.mkdtemp(prefix="placet-test-"))
    _cluster = Cluster.at(_folder, durable=False)
    _cluster.start()
    _cluster.ensure_database()
    os.environ["PLACET_DATA_DIR"] = str(_folder / "data")
    os.environ["PLACET_TEST_DATABASE"] = _cluster.url("postgres")
    os.environ["PLACET_DATABASE_URL"] = _cluster.url("postgres")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what this run started and remove its data."""
    if _cluster is not None and _folder is not None:
        _cluster.stop()
        shutil.rmtree(_cluster.home, ignore_errors=True)
        shutil.rmtree(_folder, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """After the migrations, every connection becomes the application's role, which owns nothing."""
    from django.conf import settings
    from django.db import connection
    from django.db.backends.signals import connection_created

    def become_application(sender: object, connection: Any, **kwargs: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {settings.DATABASE_APP_ROLE}")

    with django_db_blocker.unblock():
        connection_created.connect(become_application, weak=False)
        become_application(None, connection)
    yield
    connection_created.disconnect(become_application)
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


@pytest.fixture(autouse=True)
def flush_as_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty the tables after a committing test as the superuser.

    The application's role may not truncate, and the log's triggers refuse it to everybody;
    ``session_replication_role`` keeps them from firing for this one statement.
    """
    from django.db import connection
    from django.test import TransactionTestCase

    def teardown(self: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("SET session_replication_role = replica")
            tables = [
                t
                for t in connection.introspection.table_names(cursor)
                if t not in {"django_migrations", "django_content_type", "auth_permission"}
            ]
            names = ", ".join(connection.ops.quote_name(t) for t in tables)
            cursor.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
            cursor.execute("INSERT INTO audit_loghead (id, size) VALUES (1, 0)")
            cursor.execute("SET session_replication_role = origin")
            cursor.execute("SET ROLE placet_app")

    monkeypatch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
