"""Checking the database's whole account of itself: the log, and every row that it describes.

Everything is streamed: memory does not grow with the log. The rows are held against the log in
one pass over both, in the order of their keys.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.apps import apps as django_apps
from django.db import connection, models, transaction
from django.db.models import OuterRef, Subquery
from django.db.utils import DataError

from apps.audit.models import Audited, Checkpoint, Cosignature, Event
from apps.audit.queries.archived import wrong_archives
from apps.audit.queries.proofs import full_tile
from apps.audit.queries.texts import opened_many
from apps.audit.queries.timestamps import wrong_timestamps
from apps.audit.queries.verify import Verification, verify_database
from apps.audit.rows import plain, plain_state, row_key, text_of
from placet.kernel.keystore import ring
from placet_verify.errors import Refused
from placet_verify.log import checkpoint, cosignature
from placet_verify.log.checking import Fault
from placet_verify.log.merkle import TILE_WIDTH, leaf_hash
from placet_verify.log.tiles import split
from placet_verify.signing.keys import PublicKey

BATCH = 500
MOST = 100  # faults of one kind that are named
COLUMNS = ("kind", "at", "actor_id", "subject", "project", "environment")

# The last state of every row that the log ever saw. PostgreSQL sorts on its disk.
LAST_STATES = """
SELECT DISTINCT ON (after.key COLLATE "C") after.key, after.value::text
FROM audit_event, jsonb_each(body::jsonb -> 'after') AS after
ORDER BY after.key COLLATE "C", audit_event.index DESC
"""
COLUMN_FAULTS = f"""
SELECT index FROM audit_event WHERE {
    " OR ".join(f"{name} IS DISTINCT FROM (body::jsonb ->> '{name}')" for name in COLUMNS)
} ORDER BY index LIMIT {MOST}
"""  # noqa: S608  (names of our own)
RowState = dict[str, Any] | None


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
    is left of archived events, the cosignatures and time stamps, and that replaying it gives every
    row of every table.

    ``file`` is a checkpoint kept elsewhere. While the log itself is at fault, what is made from it
    is not looked at: it would only repeat that. Raises ``Refused`` as ``verify_database``.
    """
    found = verify_database(file, deep=True)
    if found.fault is not None:
        return Fsck(found, explain(found.fault), [])
    checks = (
        wrong_columns(),
        wrong_archives(),
        wrong_cosignatures(),
        wrong_timestamps(),
        wrong_rows(),
    )
    return Fsck(found, "", [fault for check in checks for fault in islice(check, MOST)])


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


def _explain_leaf(index: int, made: bytes, stored: bytes) -> str:
    tile, place = _tile_of(index), index % TILE_WIDTH
    expected = tile[place] if tile else None
    if made != stored:
        return "changed: its leaf hash" if made == expected else "changed: its body"
    if expected is None:
        return ""
    now_at, copied = _elsewhere(expected, index), _elsewhere(stored, index)
    if now_at is not None and (found := _tile_of(now_at)) and found[now_at % TILE_WIDTH] == stored:
        return f"swapped: with leaf {now_at}"
    if copied is not None:
        return f"re-inserted: it is a copy of leaf {copied}"
    if now_at is not None:
        return f"moved: what was logged here stands at leaf {now_at}"
    if stored in tile:
        logged_at = index - place + tile.index(stored)
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
            for (index,) in cursor.fetchall():
                place = f"leaf {index}"
                yield Fault(place, f"{place}: a column of it is not what its body says")
    except DataError as error:
        yield Fault("columns", f"columns: PostgreSQL cannot read a body: {error}")


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


def wrong_rows() -> Iterator[Fault]:
    """Yield the rows that are not as the log says last: missing, too many, or different."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:  # both sides as they were at one moment, while others go on
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        pairs = _merge(_logged(), _stored())
        while batch := list(islice(pairs, BATCH)):
            texts = opened_many(_commitments(batch))
            for key, state, row in batch:
                for sentence in _differences(state, row, texts):
                    yield Fault(f"row {key}", f"row {key}: {sentence}")


def _logged() -> Iterator[tuple[str, RowState]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(LAST_STATES)
        for key, text in cursor:
            if text != "null":  # of a row that was removed
                yield key, json.loads(text)


def _stored() -> Iterator[tuple[str, Audited]]:
    """Yield every audited row in the order of its key, as the log's are sorted (by code point)."""
    tables = [m for m in django_apps.get_models() if issubclass(m, Audited)]
    for model in sorted(tables, key=lambda m: f"{m._meta.label_lower}:"):
        rows = model._default_manager.order_by(
            models.functions.Collate(models.functions.Cast("pk", models.TextField()), "C")
        )
        for row in rows.iterator(chunk_size=BATCH):
            yield row_key(row), row


def _merge(
    logged: Iterable[tuple[str, RowState]], stored: Iterable[tuple[str, Audited]]
) -> Iterator[tuple[str, RowState, Audited | None]]:
    """Pair what is logged with what is stored, both in the order of their keys."""
    left, right = iter(logged), iter(stored)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            yield one[0], one[1], None
            one = next(left, None)
        elif one is None or other[0] < one[0]:
            yield other[0], None, other[1]
            other = next(right, None)
        else:
            yield one[0], one[1], other[1]
            one, other = next(left, None), next(right, None)


def _commitments(batch: list[tuple[str, RowState, Audited | None]]) -> Iterator[str]:
    for _, state, row in batch:
        if state is not None and row is not None:
            said = (state.get(name) for name in row.LOG_SEALED)
            yield from (text for text in said if text and isinstance(text, str))


def _differences(state: RowState, row: Audited | None, texts: dict[str, str]) -> Iterator[str]:
    if row is None:
        yield "the log has it, but the row is gone"
        return
    if state is None:
        yield "the row is there, but the log does not have it"
        return
    for name, value in plain_state(row).items():
        said = state[name] if name in state else _unsaid(row, name)
        if name in row.LOG_SEALED and said and isinstance(said, str):  # not before it was sealed
            if said not in texts:
                continue  # erased: nobody can say what it was
            said, value = texts[said], text_of(value)
        if said != value and (said or value or name not in row.LOG_SEALED):
            yield f"{name} is {value!r}, the log says {said!r}"[:300]


def _unsaid(row: Audited, name: str) -> Any:
    """Return what a column has of which the row's last event, an earlier release's, does not know:
    what it had when it came."""
    came_with = {c.attname: c.get_default() for c in row._meta.concrete_fields}
    return plain(came_with.get(name, []))  # a relation to many, which has none yet
