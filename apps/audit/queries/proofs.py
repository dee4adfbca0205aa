"""The tree over the log: its size, its signed heads, and proofs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import JSONObject

from apps.audit.errors import NotYetSigned
from apps.audit.models import (
    ArchivedLeaf,
    Checkpoint,
    Cosignature,
    Event,
    LogHead,
    Tile,
    VerifiedHead,
)
from placet.kernel.problems import FieldError, InvalidInput, NotFound
from placet_verify.log import merkle, tlog_proof
from placet_verify.log.merkle import TILE_HEIGHT, TILE_WIDTH
from placet_verify.log.tiles import FullTile, TileSource, split


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That leaf ``index`` is in the tree whose signed head is ``note``."""

    index: int
    size: int
    leaf_hash: str
    hashes: list[str]
    note: str


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That the first ``old`` leaves of the tree of ``new`` leaves are those of the old tree."""

    old: int
    new: int
    old_root: str
    new_root: str
    hashes: list[str]


@dataclass(frozen=True, slots=True)
class LogStanding:
    """How long the log is, and up to where it was verified as it grew and is signed."""

    size: int
    verified: int
    verified_at: datetime | None  # None before the first check
    fault: str  # found behind what is verified
    signed: int = 0  # events that the newest checkpoint has
    signed_at: datetime | None = None  # None where there is none yet


def log_size() -> int:
    """Return how many events there are."""
    return LogHead.objects.values_list("size", flat=True).get(pk=1)


def log_standing() -> LogStanding:
    """Return how many events there are, up to where they were verified as they came, and how many
    are signed, with one query."""
    fields = JSONObject(size="size", at="at", fault="fault")
    verified = VerifiedHead.objects.filter(pk=1).values(json=fields)
    newest = Checkpoint.objects.order_by("-size")
    signed, signed_at = (Subquery(newest.values(name)[:1]) for name in ("size", "created_at"))
    heads = LogHead.objects.annotate(verified=Subquery(verified), signed=signed, sealed=signed_at)
    head = heads.get(pk=1)
    found = head.verified or {}
    at = datetime.fromisoformat(found["at"]) if found else None
    upto = (found.get("size", 0), at, found.get("fault", ""))
    return LogStanding(head.size, *upto, head.signed or 0, head.sealed)


def latest_checkpoint() -> Checkpoint | None:
    """Return the newest signed tree head."""
    return Checkpoint.objects.order_by("-size").first()


def latest_cosigned(covering: int = 0) -> Checkpoint | None:
    """Return the newest checkpoint of at least ``covering`` events that a witness cosigned."""
    seen = Cosignature.objects.filter(size__gte=covering).order_by("-size")
    size = seen.values_list("size", flat=True).first()
    return None if size is None else Checkpoint.objects.filter(pk=size).first()


def cosigned_note(head: Checkpoint) -> str:
    """Return the note of a checkpoint with every cosignature that it has."""
    lines = Cosignature.objects.filter(size=head.size).order_by("at", "key")
    return head.note + "".join(lines.values_list("line", flat=True))


def leaf_hashes(start: int, end: int) -> list[bytes]:
    """Return the leaf hashes ``start`` to ``end``; raise ``LookupError`` when one is missing."""
    leaves = _hashes(Event.objects.all(), start, end)
    if len(leaves) != end - start:
        leaves = sorted(leaves + _hashes(ArchivedLeaf.objects.all(), start, end))
    if len(leaves) != end - start:
        raise LookupError(f"leaves {start} to {end} are not all there")
    return [leaf for _, leaf in leaves]


def _hashes(
    rows: QuerySet[Event] | QuerySet[ArchivedLeaf], start: int, end: int
) -> list[tuple[int, bytes]]:
    held = rows.filter(index__gte=start, index__lt=end).order_by("index")
    return [(index, bytes(leaf)) for index, leaf in held.values_list("index", "leaf_hash")]


def tiles_in_rows() -> FullTile:
    """Return a reader of stored tiles for who reads all of them: it takes 256 at a time."""
    rows: dict[int, tuple[int, dict[int, bytes]]] = {}

    def tile(level: int, index: int) -> bytes | None:
        first = index - index % TILE_WIDTH
        if level not in rows or rows[level][0] != first:
            held = Tile.objects.filter(
                level=level, index__gte=first, index__lt=first + TILE_WIDTH
            ).values_list("index", "hashes")
            rows[level] = first, {tile_index: bytes(hashes) for tile_index, hashes in held}
        return rows[level][1].get(index)

    return tile


def tree(size: int) -> TileSource:
    """Return the source of subtree hashes of the first ``size`` events."""
    return TileSource(size, full_tile, leaf_hashes, _roots)


def _roots(level: int, start: int, end: int) -> dict[int, bytes]:
    """Return the roots of the stored tiles of a row: made here where none is stored."""
    unknown = Case(When(root=None, then="hashes"))  # 256 times as long as a root
    rows = Tile.objects.filter(level=level, index__gte=start, index__lt=end)
    found = rows.values_list("index", "root", unknown)
    return {index: _root_of(stored, hashes) for index, stored, hashes in found}


def full_tile(level: int, index: int) -> bytes | None:
    """Return the stored bytes of a full tile, if it was written."""
    rows = Tile.objects.filter(level=level, index=index).values_list("hashes", flat=True)
    return next((bytes(hashes) for hashes in rows), None)


def _near(index: int, size: int) -> TileSource:
    """Return the source for the proof of one event: the tiles on the way up from it, and the roots
    at the edge of the tree, are read with one query. What else is asked for is read by itself."""
    held = Q(pk=None)
    edges, level = set[tuple[int, int, int]](), 0
    while (end := size >> (TILE_HEIGHT * level)) > 0:
        held |= Q(level=level, index=index >> (TILE_HEIGHT * (level + 1)))
        if level:
            edges.add((level - 1, end - end % TILE_WIDTH, end))
        level += 1
    whole = held
    for below, first, end in edges:
        held |= Q(level=below, index__gte=first, index__lt=end)
    hashes = Case(When(whole | Q(root=None), then="hashes"))
    rows = Tile.objects.filter(held).values_list("level", "index", "root", hashes)
    known = {(at, place): (root, said) for at, place, root, said in rows}

    def full(at: int, place: int) -> bytes | None:
        if place != index >> (TILE_HEIGHT * (at + 1)):
            return full_tile(at, place)
        return bytes(known[at, place][1]) if (at, place) in known else None

    def roots(at: int, start: int, end: int) -> dict[int, bytes]:
        if (at, start, end) not in edges:
            return _roots(at, start, end)
        there = {place: known[at, place] for place in range(start, end) if (at, place) in known}
        return {place: _root_of(*stored) for place, stored in there.items()}

    return TileSource(size, full, leaf_hashes, roots)


def _root_of(stored: bytes | None, hashes: bytes | None) -> bytes:
    """Return the root of a tile: made here where none is stored."""
    return merkle.root(split(bytes(hashes or b""))) if stored is None else bytes(stored)


def _heads(covering: int) -> tuple[Checkpoint | None, Checkpoint | None]:
    """Return what :func:`latest_cosigned` and :func:`latest_checkpoint` do, with one query."""
    cosigned = Cosignature.objects.filter(size__gte=covering).order_by("-size").values("size")[:1]
    newest = Checkpoint.objects.order_by("-size").values("size")[:1]
    rows = Checkpoint.objects.filter(Q(pk=Subquery(cosigned)) | Q(pk=Subquery(newest)))
    seen = Exists(Cosignature.objects.filter(size=OuterRef("pk")))
    heads: list[Any] = list(rows.annotate(seen=seen).order_by("-size"))
    by_witness = (head for head in heads if head.seen and head.size >= covering)
    return next(by_witness, None), next(iter(heads), None)


def inclusion(index: int) -> InclusionProof:
    """Return the proof of event ``index`` against the newest checkpoint that a witness cosigned,
    or, before one did, against the newest.

    Raises :class:`NotYetSigned` while no checkpoint covers it. Whether the actor may read the
    event is asked by the caller.
    """
    if index < 0:
        raise NotFound
    seen, newest = _heads(index + 1)
    head = seen or newest
    if head is None or index >= head.size:
        raise NotYetSigned if index < log_size() else NotFound
    source = _near(index, head.size)
    return InclusionProof(
        index=index,
        size=head.size,
        leaf_hash=source(0, index).hex(),
        hashes=[step.hex() for step in merkle.inclusion_proof(index, head.size, source)],
        note=cosigned_note(seen) if seen else head.note,
    )


def tlog_proofs(events: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Return, by index, the proofs of events (index and body) as C2SP tlog-proof files.

    All are against one checkpoint, as :func:`inclusion` chooses it. Raises :class:`NotYetSigned`
    while one is not covered.
    """
    wanted = dict(events)
    covering = max(wanted, default=-1) + 1
    head = latest_cosigned(covering) or latest_checkpoint()
    if head is None or head.size < covering:
        raise NotYetSigned
    source, note, proofs = tree(head.size), cosigned_note(head), {}
    for index, body in wanted.items():
        hashes = merkle.inclusion_proof(index, head.size, source)
        proofs[index] = tlog_proof.write(index, hashes, note, body.encode("utf-8"))
    return proofs


def consistency(old: int, new: int) -> ConsistencyProof:
    """Return the proof that the tree of ``new`` leaves continues the one of ``old``."""
    size = log_size()
    for name, value in (("old", old), ("new", new)):
        if not 0 <= value <= size:
            raise InvalidInput(errors=[FieldError(name, f"A size from 0 to {size}")])
    if old > new:
        raise InvalidInput(errors=[FieldError("old", "It must not be larger than new")])
    source = tree(new)
    return ConsistencyProof(
        old=old,
        new=new,
        old_root=merkle.range_root(0, old, source).hex(),
        new_root=merkle.range_root(0, new, source).hex(),
        hashes=[step.hex() for step in merkle.consistency_proof(old, new, source)],
    )
