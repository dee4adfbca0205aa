"""A pytest plugin: one PostgreSQL for the whole run, started by the first test that asks for it."""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

TEMPLATE = "placet_template"

_folder: Path | None = None


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Choose where PostgreSQL will be before Django reads its settings; workers inherit it."""
    global _folder
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    _folder = Path(tempfile.mkdtemp(prefix="placet-test-"))
    os.environ["PLACET_TEST_CLUSTER"] = str(_folder)
    os.environ["PLACET_DATA_DIR"] = str(_folder / "data")
    os.environ["PLACET_TEST_DATABASE"] = _cluster(_folder).url("postgres")
    os.environ["PLACET_DATABASE_URL"] = os.environ["PLACET_TEST_DATABASE"]


def pytest_unconfigure() -> None:
    """Stop what this run started and remove its data."""
    if _folder is None:
        return
    cluster = _cluster(_folder)
    if cluster.pid() is not None:
        cluster.stop()
    shutil.rmtree(cluster.home, ignore_errors=True)
    shutil.rmtree(_folder, ignore_errors=True)


def _cluster(folder: Path) -> Any:
    from placet.embedded.postgres import Cluster

    return Cluster.at(folder, durable=False)


@contextmanager
def database(name: str) -> Iterator[None]:
    """Point Django at a database of this name, new and migrated, and drop it afterwards.

    It is a copy of a template that the first of all workers makes by the migrations.
    """
    with _alone():
        _start()
        with _connected() as server:
            if not _exists(server, TEMPLATE):
                _make_template(server)
            _copy(server, TEMPLATE, name)
    _use(name)
    yield
    _use("postgres")
    with _connected() as server:
        server.execute(_words("DROP DATABASE {} WITH (FORCE)", name))


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the other workers back."""
    with (Path(os.environ["PLACET_TEST_CLUSTER"]) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start() -> None:
    cluster = _cluster(Path(os.environ["PLACET_TEST_CLUSTER"]))
    if cluster.pid() is None:
        cluster.start()
        cluster.ensure_database()


def _connected() -> "psycopg.Connection[Any]":
    return psycopg.connect(os.environ["PLACET_TEST_DATABASE"], autocommit=True)


def _exists(server: "psycopg.Connection[Any]", name: str) -> bool:
    found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    return found.fetchone() is not None


def _make_template(server: "psycopg.Connection[Any]") -> None:
    """Migrate a database, and call it the template when all of it is there."""
    from django.core.management import call_command

    _copy(server, "template1", f"{TEMPLATE}_new")
    _use(f"{TEMPLATE}_new")
    call_command("migrate", verbosity=0)
    _use("postgres")
    server.execute(_words("ALTER DATABASE {} RENAME TO {}", f"{TEMPLATE}_new", TEMPLATE))


def _copy(server: "psycopg.Connection[Any]", source: str, name: str) -> None:
    server.execute(_words("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))
    server.execute(_words("CREATE DATABASE {} TEMPLATE {}", name, source))


def _words(command: str, *names: str) -> sql.Composed:
    return sql.SQL(command).format(*map(sql.Identifier, names))  # type: ignore[arg-type]


def _use(name: str) -> None:
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = name
