"""Checking the whole database against checkpoints that lie outside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from apps.audit.models import Checkpoint, Event, Tile
from apps.audit.queries import checkpoint_files
from apps.audit.queries.archived import every_record
from apps.audit.queries.proofs import log_size, tiles_in_rows
from placet.kernel.keystore import ring
from placet_verify.errors import Refused
from placet_verify.log import checkpoint, merkle
from placet_verify.log.checking import Fault, LogReport, verify_log
from placet_verify.log.tiles import split

# Tiles whose root is not what stands in the tile above; and those that have none above them yet.
WRONG_ROOTS = """
SELECT t.level, t.index FROM audit_tile t
JOIN audit_tile above ON above.level = t.level + 1 AND above.index = t.index / 256
WHERE t.root <> substring(above.hashes FROM (t.index % 256)::int * 32 + 1 FOR 32)
ORDER BY t.level, t.index LIMIT 1
"""
NEWEST_TILES = """
SELECT t.id, t.level, t.index, t.hashes, t.root FROM audit_tile t
LEFT JOIN audit_tile above ON above.level = t.level + 1 AND above.index = t.index / 256
WHERE above.id IS NULL AND t.root IS NOT NULL ORDER BY t.level, t.index
"""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found. ``started_from`` names the checkpoint file; '' when there was none."""

    report: LogReport
    started_from: str
    started_size: int
    fault: Fault | None

    @property
    def ok(self) -> bool:
        """Tell whether nothing is wrong."""
        return self.fault is None and not self.report.unsealed


def verify_database(file: Path | None = None, *, deep: bool = False) -> Verification:
    """Recompute every leaf hash, tile and root and compare them with the signed checkpoints, and
    check the seal of each event that vouches for access.

    Starts from ``file``, else from the newest checkpoint kept outside the database. ``deep`` also
    checks that each body is canonical JSON and that times never go back. Raises ``Refused`` when
    the checkpoint itself is not signed by a log key.
    """
    start, heads = _trusted(file)
    signed, fault = _signed_in_database()
    report = verify_log(
        every_record(),
        heads={**signed, **heads}.items(),
        tiles=tiles_in_rows(),
        canonical_bodies=deep,
        monotone=deep,
        ring=ring(),
    )
    newest = max(heads, default=0)
    fault = report.fault or fault or _head_fault(report) or _root_fault()
    return Verification(report, str(start or ""), newest, fault)


def _trusted(file: Path | None) -> tuple[Path | None, dict[int, bytes]]:
    """Return the file that is started from, and the heads that lie outside the database."""
    if file is not None:
        head = checkpoint_files.read_kept(file)
        return file, {head.size: head.root}
    kept = checkpoint_files.newest_kept()
    if kept is None:
        return None, {}
    path, newest = kept
    heads = [
        checkpoint_files.read_kept(checkpoint_files.folder() / f"{size}.txt")
        for size in checkpoint_files.kept_sizes()
    ]
    return path, {head.size: head.root for head in [*heads, newest]}


def _signed_in_database() -> tuple[dict[int, bytes], Fault | None]:
    """Return the heads of the database's own checkpoints, and the first that is not signed."""
    keys = checkpoint.log_keys(ring())
    heads: dict[int, bytes] = {}
    for row in Checkpoint.objects.order_by("size").iterator():
        place = f"checkpoint {row.size}"
        try:
            head = checkpoint.verify(row.note, keys)
        except Refused as refusal:
            return heads, Fault(place, f"{place}: {refusal.sentence}")
        if (head.size, head.root) != (row.size, bytes(row.root)):
            return heads, Fault(place, f"{place}: its columns are not what was signed")
        heads[head.size] = head.root
    return heads, None


def _head_fault(report: LogReport) -> Fault | None:
    """Compare the head row with the events, unless the log grew while it was read."""
    says = log_size()
    if says < report.size or (says > report.size and not _grew(report.size)):
        return Fault("size", f"size: the head says {says}, the log has {report.size}")
    return None


def _root_fault() -> Fault | None:
    """Return the first tile with a root that its hashes, which are right, do not have."""
    for level, index in _wrong_roots():
        place = f"tile {level}/{index}"
        return Fault(place, f"{place}: the root that is stored beside its hashes is another one")
    return None


def _wrong_roots() -> Iterator[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(WRONG_ROOTS)
        yield from cursor.fetchall()
    for tile in Tile.objects.raw(NEWEST_TILES):
        if merkle.root(split(bytes(tile.hashes))) != bytes(tile.root or b""):
            yield tile.level, tile.index


def _grew(size: int) -> bool:
    return Event.objects.filter(index__gte=size).exists()
