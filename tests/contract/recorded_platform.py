"""A whole platform as the previous release left it, from ``recorded/platform.tar.xz``.

How it was made is in ``proofs/recorded.py``. In the archive are an export of its log, the bundle of
a release, the checkpoints kept outside, every row of its tables as PostgreSQL writes rows as JSON,
what nodes reported, and what that release said of all that: the sentence of each event, and what a
node says of each revision.
"""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection

from placet_verify.signing.keys import KeyRing, PublicKey
from tests.support.migrations import RELEASED, executor

ARCHIVE = Path(__file__).parent / "recorded" / "platform.tar.xz"
Row = dict[str, Any]

GENERATED = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %s AND is_generated <> 'NEVER'
"""
# emptying the tables after a test starts every sequence anew, and leaves the rows of this one
GO_ON = "SELECT setval('django_migrations_id_seq', (SELECT max(id) FROM django_migrations))"


@dataclass(frozen=True)
class RecordedPlatform:
    """What lies in the archive, unpacked in a folder."""

    folder: Path

    @classmethod
    def unpacked(cls, folder: Path) -> "RecordedPlatform":
        """Unpack it."""
        with tarfile.open(ARCHIVE) as archive:
            # Our own archive. Python 3.11.2 knows no filters, and 3.13 asks for one.
            archive.extraction_filter = lambda member, _: member
            archive.extractall(folder)
        return cls(folder)

    @property
    def log(self) -> Path:
        """The exported log; the public keys lie beside it, as everywhere."""
        return self.folder / "log"

    @property
    def root(self) -> Path:
        """The root's public key."""
        return self.log / "root.pub"

    @property
    def ring(self) -> KeyRing:
        """The keys of the platform."""
        root = PublicKey.from_pem(self.root.read_bytes())
        return KeyRing.open((self.log / "keys.json").read_bytes(), root)

    @property
    def events(self) -> list[Row]:
        """The log's events, with the text that was hashed."""
        return lines(self.log / "events.jsonl")

    def table(self, name: str) -> list[Row]:
        """Return the rows of a table."""
        path = self.folder / "tables" / f"{name}.jsonl"
        return lines(path) if path.exists() else []

    def put(self) -> None:
        """Make this database what that release left, by its own tables and rows, and upgrade it."""
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute(GO_ON)
            steps = executor(connection)
            steps.migrate(
                [
                    (app, name)
                    for app, name in steps.loader.graph.nodes
                    if int(name[:4]) == RELEASED.get(app)
                ]
            )
            cursor.execute("SET session_replication_role = replica")
            try:
                self.fill(cursor)
            finally:  # further tests need the tables of today
                cursor.execute("SET session_replication_role = origin")
                upgrade()
                cursor.execute("SET ROLE placet_app")

    def fill(self, cursor: Any) -> None:
        """Put every row into its table."""
        for path in sorted((self.folder / "tables").iterdir()):
            fill(cursor, path.stem, lines(path))
        rows = [{**event, "leaf_hash": rf"\x{event['leaf_hash']}"} for event in self.events]
        fill(cursor, "audit_event", rows)


def upgrade() -> None:
    """Bring the tables up to today."""
    steps = executor(connection)
    steps.migrate(steps.loader.graph.leaf_nodes())


def lines(path: Path) -> list[Row]:
    """Read a file of one JSON value a line."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def fill(cursor: Any, table: str, rows: list[Row]) -> None:
    """Put rows into a table in place of those that are there, each with all of its columns."""
    cursor.execute(GENERATED, [table])
    generated = {name for (name,) in cursor.fetchall()}
    names = ", ".join(f'"{name}"' for name in rows[0].keys() - generated)
    cursor.execute(f'DELETE FROM "{table}"')
    cursor.execute(
        f'INSERT INTO "{table}" ({names}) OVERRIDING SYSTEM VALUE SELECT {names} '
        f'FROM json_populate_recordset(null::"{table}", %s)',
        [json.dumps(rows)],
    )
