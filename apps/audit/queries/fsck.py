"""Checking the database's whole account of itself: the log, and every row that it describes.

Everything is streamed: memory does not grow with the log.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.models import OuterRef, Subquery
from django.db.utils import DataError

from apps.audit.models import Checkpoint, Cosignature, Event
from apps.audit.queries.archived import wrong_archives
from apps.audit.queries.batches import BATCH, at_one_moment
from apps.audit.queries.proofs import full_tile
from apps.audit.queries.removed_texts import removed_texts
from apps.audit.queries.timestamps import wrong_timestamps
from apps.audit.queries.verify import Verification, verify_database
from apps.audit.queries.wrong_rows import wrong_rows
from placet.kernel.keystore import ring
from placet_verify.errors import Refused
from placet_verify.log import checkpoint, cosignature
from placet_verify.log.checking import Fault
from placet_verify.log.merkle import TILE_WIDTH, leaf_hash
from placet_verify.log.tiles import split
from placet_verify.signing.keys import PublicKey

MOST = 100  # faults of one kind that are named
COLUMNS = ("kind", "at", "actor_id", "subject", "project", "environment")

COLUMN_FAULTS = f"""
SELECT index FROM audit_event WHERE {
    " OR ".join(f"{name} IS DISTINCT FROM (body::jsonb ->> '{name}')" for name in COLUMNS)
} ORDER BY index LIMIT {MOST}
"""  # noqa: S608  (names of our own)


@dataclass(frozen=True, slots=True)
class Fsck:
    """What was found: the log itself, then what does not agree with it."""

    log: Verification
    how: str
    faults: list[Fault]

    @property
    def ok(self) -> bool:
        """Tell whether nothing is wrong."""
        return self.log.ok and not self.faults


def fsck(file: Path | None = None) -> Fsck:
    """Check the log (form, times, tree, checkpoints, seals), the columns made from it, what
    is left of archived events, the cosignatures and time stamps, that replaying it gives every
    row of every table, and that the texts beside it are there or were erased.

    ``file`` is a checkpoint kept elsewhere. While the log itself is at fault, what is made from it
    is not looked at: it would only repeat that. Raises ``Refused`` as ``verify_database``.
    """
    report = verify_database(file, deep=True)
    if report.fault is not None:
        return Fsck(report, explain(report.fault), [])
    checks = (
        wrong_columns(),
        wrong_archives(),
        wrong_cosignatures(),
        wrong_timestamps(),
        wrong_rows(),
        removed_texts(),
    )
    with at_one_moment():
        return Fsck(report, "", [fault for check in checks for fault in islice(check, MOST)])


def explain(fault: Fault) -> str:
    """Say what was done to the leaf that is named first, as far as the database shows it."""
    kind, _, number = fault.place.partition(" ")
    if kind == "size":
        return "cut: the end is missing, or leaves after the last checkpoint that agrees"
    if kind != "leaf":
        return ""
    index = int(number)
    row = Event.objects.filter(pk=index).values_list("body", "leaf_hash").first()
    if row is None:
        return "deleted: there is no such row"
    return _explain_leaf(index, leaf_hash(row[0].encode("utf-8", "replace")), bytes(row[1]))


def _explain_leaf(index: int, computed: bytes, stored: bytes) -> str:
    tile, position = _tile_of(index), index % TILE_WIDTH
    expected = tile[position] if tile else None
    if computed != stored:
        return "changed: its leaf hash" if computed == expected else "changed: its body"
    if expected is None:
        return ""
    now_at, copied = _elsewhere(expected, index), _elsewhere(stored, index)
    if (
        now_at is not None
        and (other_tile := _tile_of(now_at))
        and other_tile[now_at % TILE_WIDTH] == stored
    ):
        return f"swapped: with leaf {now_at}"
    if copied is not None:
        return f"re-inserted: it is a copy of leaf {copied}"
    if now_at is not None:
        return f"moved: what was logged here stands at leaf {now_at}"
    if stored in tile:
        logged_at = index - position + tile.index(stored)
        return f"deleted: what was logged at leaf {logged_at} stands in its place"
    return "re-inserted: with another body, hashed anew"


def _elsewhere(leaf: bytes, index: int) -> int | None:
    """Return another leaf with this hash. Reads the whole log: there is no index for it."""
    rows = Event.objects.filter(leaf_hash=leaf).exclude(pk=index)
    return rows.values_list("pk", flat=True).first()


def _tile_of(index: int) -> list[bytes]:
    """Return the hashes of the leaf's tile as it is stored; none while it is not full."""
    stored = full_tile(0, index // TILE_WIDTH)
    return split(stored) if stored is not None else []


def wrong_columns() -> Iterator[Fault]:
    """Yield the leaves of which a searchable column is not what the body says."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(COLUMN_FAULTS)
            indexes = [index for (index,) in cursor.fetchall()]
    except DataError as error:
        yield Fault("columns", f"columns: PostgreSQL cannot read a body: {error}")
        return
    for index in indexes:
        place = f"leaf {index}"
        yield Fault(place, f"{place}: a column of it is not what its body says")


def wrong_cosignatures() -> Iterator[Fault]:
    """Yield the cosignatures that the checkpoint they are stored for does not bear out."""
    keys = checkpoint.log_keys(ring())
    note = Checkpoint.objects.filter(pk=OuterRef("size")).values("note")
    rows = Cosignature.objects.annotate(note=Subquery(note)).order_by("size", "key")
    for row in rows.iterator(chunk_size=BATCH):
        place = f"cosignature {row.size}"
        if row.note is None:
            yield Fault(place, f"{place}: there is no checkpoint of this size")
        elif sentence := _cosignature_fault(row, keys):
            yield Fault(place, f"{place}: {sentence}")


def _cosignature_fault(row: Any, keys: Sequence[PublicKey]) -> str:
    """Say what is wrong with a cosignature; ``row`` has the ``note`` of its checkpoint."""
    try:
        witness = cosignature.WitnessKey.parse(row.key)
        signed = checkpoint.verify(row.note + row.line, keys)
    except Refused as refusal:
        return refusal.sentence
    good = cosignature.cosigned(signed, witness)
    return "" if good is not None else f"it is not by the witness {witness.name}"
