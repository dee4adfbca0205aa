"""Captured predictions as Parquet, written and read with DuckDB.

DuckDB is slow to import, so only who stores or reads predictions imports it. It runs inside the
process, on one thread, with bounded memory, and loads no extension.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from apps.registry.store import store

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLUMNS = {
    "prediction": "VARCHAR",
    "made_at": "DOUBLE",
    "unit": "VARCHAR",
    "row_count": "BIGINT",
    "inputs": "VARCHAR",
    "outputs": "VARCHAR",
    "milliseconds": "DOUBLE",
}
SETTINGS: dict[str, Any] = {
    "threads": 1,
    "memory_limit": "512MB",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


class ParquetRow(NamedTuple):
    """One prediction in a file: the members of ``COLUMNS``."""

    prediction: str
    made_at: float  # seconds since 1970
    unit: str
    row_count: int
    inputs: str | None
    outputs: str | None
    milliseconds: float


class Pair(NamedTuple):
    """What two revisions answered to one request, as JSON lists."""

    prediction: str
    made_at: float
    inputs: str | None
    stable: str
    candidate: str


@contextmanager
def database() -> Iterator["DuckDBPyConnection"]:
    """Open a database in memory."""
    import duckdb

    connection = duckdb.connect(":memory:", config=SETTINGS)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def local(digests: Iterable[str]) -> Iterator[list[str]]:
    """Give verified copies of these blobs as files. Raises :class:`BlobMissing`: one that was
    written anew meanwhile is gone at once."""
    blobs = store()
    with tempfile.TemporaryDirectory(prefix="placet-capture-") as folder:
        paths = []
        for digest in digests:
            path = Path(folder) / digest
            with blobs.open_verified(digest) as stream, path.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
            paths.append(str(path))
        yield paths


def write(rows: Sequence[ParquetRow], *, after: Sequence[str] = ()) -> str:
    """Store ``rows`` behind those of the blobs ``after`` as one blob; return its digest."""
    values = ", ".join(f"unnest(${n}::{k}[]) AS {c}" for n, (c, k) in enumerate(COLUMNS.items(), 1))
    with local(after) as files, database() as db:
        db.execute(
            f"CREATE TABLE fresh AS SELECT {values}", [list(c) for c in zip(*rows, strict=True)]
        )
        if not files:
            return _put(db, "SELECT * FROM fresh", [])
        both = "SELECT * FROM read_parquet($1) UNION ALL SELECT * FROM fresh"
        return _put(db, both, [files])


def without(digest: str, unit: str) -> str:
    """Store a copy of a blob without the predictions of ``unit``; return its digest."""
    with local([digest]) as files, database() as db:
        kept = "SELECT * FROM read_parquet($1) WHERE unit <> $2"
        return _put(db, kept, [files, unit])


def find(digests: Iterable[str], predictions: Sequence[str]) -> dict[str, ParquetRow]:
    """Return those of ``predictions`` that are in the blobs."""
    with local(digests) as files:
        if not files:
            return {}
        with database() as db:
            sought = "SELECT * FROM read_parquet($1) WHERE list_contains($2, prediction)"
            rows = db.execute(sought, [files, list(predictions)]).fetchall()
    return {row[0]: ParquetRow(*row) for row in rows}


def pairs(
    stable: Sequence[str], candidate: Sequence[str], *, since: float, limit: int
) -> list[Pair]:
    """Return the newest answers that are in both, by their prediction id."""
    with local([*stable, *candidate]) as files, database() as db:
        both = """
        SELECT s.prediction, s.made_at, s.inputs, s.outputs, c.outputs
        FROM read_parquet($1) s JOIN read_parquet($2) c USING (prediction)
        WHERE s.outputs IS NOT NULL AND c.outputs IS NOT NULL AND s.made_at >= $3
        ORDER BY s.made_at DESC, s.prediction LIMIT $4
        """
        mine, other = files[: len(stable)], files[len(stable) :]
        return [Pair(*row) for row in db.execute(both, [mine, other, since, limit]).fetchall()]


def _put(db: "DuckDBPyConnection", query: str, values: list[Any]) -> str:
    with tempfile.TemporaryDirectory(prefix="placet-capture-") as folder:
        path = Path(folder) / "part.parquet"
        copy = f"COPY ({query} ORDER BY made_at) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"
        db.execute(copy, values)
        return store().put_file(path)[0]
