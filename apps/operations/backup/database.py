"""The database's share: one snapshot that is dumped and looked at, and the way back."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from apps.operations.backup.manifest import BackupRefused
from placet.embedded.postgres import packaged_program
from placet.kernel.config import config
from placet_verify.log.checking import verify_log

REFERENCED = """
SELECT sha256, max(size) FROM (
  SELECT sha256, size FROM registry_artifactfile
  UNION ALL SELECT split_part(digest, ':', 2), size FROM builds_bento
    WHERE collected_at IS NULL
  UNION ALL SELECT sbom, NULL FROM builds_bento WHERE sbom <> ''
  UNION ALL SELECT w ->> 'sha256', (w ->> 'size')::bigint
    FROM builds_runtime, jsonb_array_elements(wheels) w WHERE collected_at IS NULL
  UNION ALL SELECT split_part(file, ':', 2), bytes FROM audit_archive
) every GROUP BY sha256 ORDER BY sha256
"""
LEAVES = """
SELECT "index", body, leaf_hash FROM audit_event
UNION ALL SELECT "index", NULL, leaf_hash FROM audit_archivedleaf ORDER BY "index"
"""


@dataclass(frozen=True, slots=True)
class DatabaseSnapshot:
    """One moment of the database: the log as it was, and the blobs that its rows name."""

    id: str
    size: int
    root: bytes
    note: str
    blobs: dict[str, int | None]


def owner_url() -> str:
    """Return how the owner of the tables connects."""
    url = config().database_owner_url or config().database_url
    if not url:
        raise BackupRefused(
            "No database is known: start Placet first (make run), or set PLACET_DATABASE_OWNER_URL"
        )
    return url


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Connect, or say that nothing answers."""
    try:
        connection = psycopg.connect(url)
    except psycopg.OperationalError as error:
        raise BackupRefused(f"The database does not answer: {error}".strip()) from None
    with connection:
        yield connection


@contextmanager
def snapshot(url: str) -> Iterator[DatabaseSnapshot]:
    """Hold one moment still, recompute the log's root from its events, and list the blobs."""
    with connected(url) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        connection.commit()
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        (name,) = _row(connection, "SELECT pg_export_snapshot()")
        size, root = recomputed(connection)
        note = connection.execute("SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1")
        newest = note.fetchone()
        blobs = dict(connection.execute(REFERENCED).fetchall())
        yield DatabaseSnapshot(name, size, root, newest[0] if newest else "", blobs)


def recomputed(connection: psycopg.Connection[Any]) -> tuple[int, bytes]:
    """Return size and root of the log, every leaf hashed anew from its event if it is here."""
    with connection.cursor(name="placet_events") as cursor:
        cursor.itersize = 8192
        cursor.execute(LEAVES)
        report = verify_log((i, body, bytes(leaf)) for i, body, leaf in cursor)
    if report.fault is not None:
        raise BackupRefused(f"The log is not intact: {report.fault.sentence}")
    return report.size, report.root


def dump(url: str, found: DatabaseSnapshot, target: Path) -> None:
    """Write the snapshot as a dump of ``pg_dump``'s own format."""
    _run(
        "pg_dump",
        url,
        "--format=custom",
        f"--snapshot={found.id}",
        "--no-owner",
        f"--file={target}",
    )


def load(url: str, source: Path) -> None:
    """Load a dump into an empty database, all or nothing. Raises when it is not empty."""
    with connected(url) as connection:
        (tables,) = _row(
            connection, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"
        )
    if tables:
        raise BackupRefused("The database is not empty: restore into a new one")
    _run(
        "pg_restore",
        url,
        "--no-owner",
        "--exit-on-error",
        "--single-transaction",
        f"--dbname={conninfo_to_dict(url)['dbname']}",
        str(source),
    )


def _row(connection: psycopg.Connection[Any], statement: str) -> tuple[Any, ...]:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return tuple(row)


def _run(program: str, url: str, *args: str) -> None:
    """Run a tool of PostgreSQL; its password goes by the environment, not by the command line."""
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
        "sslmode": "PGSSLMODE",
    }
    environment = {names[k]: str(v) for k, v in conninfo_to_dict(url).items() if k in names}
    done = subprocess.run(
        [_program(program), *args],
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupRefused(f"{program} failed: {done.stderr.strip()[-2000:]}")


def _program(name: str) -> str:
    """Return the tool: the embedded PostgreSQL's, or the one on the PATH beside your server."""
    if config().mode == "embedded":
        return str(packaged_program(name))
    path = shutil.which(name)
    if path is None:
        raise BackupRefused(
            f"{name} is not installed: install the PostgreSQL client of your server's version"
        )
    return path
