"""A new database, made in few steps, is what one becomes that was made step by step."""

import difflib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from placet.embedded.postgres import packaged_program
from tests.support.migrations import RELEASED, lacking

ROOT = Path(__file__).resolve().parents[2]
STEP_BY_STEP = f"""
import django; django.setup()
from django.core.management import call_command
from django.db.migrations import executor
from tests.support.migrations import Originals
Originals.newest = {RELEASED}
executor.MigrationLoader = Originals
call_command("migrate", verbosity=0, skip_checks=True)
"""
KILLED = """
import os, django; django.setup()
from django.core.management import call_command
from django.db.migrations.recorder import MigrationRecorder
note = MigrationRecorder.record_applied
def killed(self, app, name):
    os._exit(9) if name == "0003_touched" else note(self, app, name)
MigrationRecorder.record_applied = killed
call_command("migrate", "audit", verbosity=0, skip_checks=True)
"""
# Every new database has a key of its own; migrations are numbered as they come, and so are models,
# of which the release before has fewer.
VARYING = {
    "audit_personkey": ["key"],
    "django_migrations": ["id", "applied"],
    "django_content_type": ["id"],
    "auth_permission": ["id", "content_type_id"],
}


class Database:
    """One of this file's own, in the cluster that the tests have."""

    def __init__(self, name: str) -> None:
        known = {key: quote(str(value), safe="") for key, value in connection.settings_dict.items()}
        who, port = (
            f"{known['USER']}:{known['PASSWORD']}",
            known["PORT"] and f"&port={known['PORT']}",
        )
        self.name = name
        self.url = f"postgresql://{who}@/{name}?host={known['HOST']}{port}"

    def python(self, *words: str, code: int = 0) -> None:
        """Run Python with Django on it, as the owner of its tables; it ends with ``code``."""
        environment = os.environ | {
            "PLACET_DATABASE_URL": self.url,
            "PLACET_PROCESS": "manage",
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
            "DJANGO_SETTINGS_MODULE": "placet.settings",
        }
        done = subprocess.run(
            [sys.executable, *words], env=environment, cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr

    def migrate(self) -> None:
        """Bring it up to today."""
        self.python("manage.py", "migrate", "--no-input", "--skip-checks", "-v0")

    def schema(self) -> list[str]:
        """Everything but rows: tables, columns in their order, constraints, triggers, rights."""
        dump = subprocess.run(
            [packaged_program("pg_dump"), "--schema-only", "-d", self.url],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        # a key for psql alone, made anew each time
        return [
            line for line in dump.splitlines() if not line.startswith(("\\restrict", "\\unres"))
        ]

    def rows(self) -> dict[str, list[str]]:
        """Every row of every table, but for :data:`VARYING`."""
        with psycopg.connect(self.url) as opened:
            tables = opened.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            found = {}
            for (table,) in tables:
                query = sql.SQL("SELECT (to_jsonb(t) - %s::text[])::text FROM {} t")
                said = opened.execute(query.format(sql.Identifier(table)), [VARYING.get(table, [])])
                found[table] = sorted(row for (row,) in said)
        return found

    def applied(self) -> list[tuple[str, str]]:
        """The migrations that it has noted."""
        with psycopg.connect(self.url) as opened:
            return opened.execute("SELECT app, name FROM django_migrations").fetchall()


@contextmanager
def database(name: str) -> Iterator[Database]:
    """Make an empty database, and drop it afterwards."""
    made = Database(f"{name}_{os.getpid()}")
    place = sql.Identifier(made.name)
    with psycopg.connect(Database("postgres").url, autocommit=True) as opened:
        opened.execute(sql.SQL("CREATE DATABASE {}").format(place))
        try:
            yield made
        finally:
            opened.execute(sql.SQL("DROP DATABASE {}").format(place))


@pytest.fixture(scope="module")
def new(django_db_setup: None) -> Iterator[Database]:
    """A new database of today."""
    with database("squashed") as made:
        made.migrate()
        yield made


@pytest.fixture(scope="module")
def upgraded(django_db_setup: None) -> Iterator[Database]:
    """A database of the release before, which was made step by step, brought up to today."""
    with database("upgraded") as made:
        made.python("-c", STEP_BY_STEP)
        assert ("serving", "0006_noted") in lacking(made.applied())
        made.migrate()
        yield made


def test_both_have_the_same_tables_triggers_and_rights(new: Database, upgraded: Database) -> None:
    different = list(difflib.unified_diff(upgraded.schema(), new.schema(), lineterm=""))
    assert different == []


def test_both_have_the_same_rows(new: Database, upgraded: Database) -> None:
    assert new.rows() == upgraded.rows()
    assert new.rows()["audit_loghead"] and new.rows()["auth_permission"]


def test_neither_lacks_a_migration(new: Database, upgraded: Database) -> None:
    assert lacking(new.applied()) == lacking(upgraded.applied()) == []


def test_one_killed_while_a_migration_is_noted_has_nothing_of_it(django_db_setup: None) -> None:
    with database("killed") as made:
        made.python("-c", KILLED, code=9)
        assert made.rows() == {"django_migrations": []}
