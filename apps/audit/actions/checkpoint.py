"""Signed tree heads: made by a job, in the database and as files outside it."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog
from django.db import transaction

from apps.audit import rules
from apps.audit.errors import LogRewritten
from apps.audit.models import Checkpoint, Tile
from apps.audit.names import origin
from apps.audit.queries import checkpoint_files
from apps.audit.queries.proofs import latest_checkpoint, leaf_hashes, log_size, tree
from placet.kernel.faults import crash_point
from placet.kernel.keystore import signer
from placet_verify.log import checkpoint, merkle

CHUNK = 4096
KEEP_NEWEST = 100  # by-size files; of older ones the last of each day stays
log = structlog.get_logger(__name__)


def write_checkpoint() -> Checkpoint | None:
    """Sign the log as it stands, write the tiles that became full, and keep the note as a file.

    Returns the new checkpoint, ``None`` when the log did not grow. Repeating it is harmless. The
    ``log`` key is needed, so it runs on ``control``. Raises :class:`LogRewritten`, and signs
    nothing, when the database does not continue what was signed before.
    """
    size, before = log_size(), latest_checkpoint()
    grown = size != (before.size if before else 0)
    refuse_rewritten(size, thoroughly=grown)
    if before is not None:
        keep(before)
    if not grown:
        return None
    row, tiles = _grow(before, size)
    with transaction.atomic():
        Tile.objects.bulk_create(tiles, ignore_conflicts=True)
        Checkpoint.objects.bulk_create([row], ignore_conflicts=True)
        crash_point("audit.before_checkpoint_commit")
    crash_point("audit.after_checkpoint_commit")
    keep(row)
    return row


def refuse_rewritten(size: int, *, thoroughly: bool = True) -> None:
    """Raise :class:`LogRewritten` when the newest kept checkpoint is not of this log.

    Its size always; its root only ``thoroughly``, which reads a tile of each level.
    """
    kept = checkpoint_files.newest_kept()
    if kept is None:
        return
    path, head = kept
    advice = "Run `manage.py audit verify`; nothing is signed until this is resolved."
    if head.size > size:
        at = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
        gap = rules.gap(f"{path} was signed over", head.size, size, at)
        raise LogRewritten(f"{gap}. {advice}")
    if thoroughly and merkle.range_root(0, head.size, tree(head.size)) != head.root:
        raise LogRewritten(
            f"The first {head.size} events are not those that {path} was signed over. {advice}"
        )


def _grow(before: Checkpoint | None, size: int) -> tuple[Checkpoint, list[Tile]]:
    tiles: list[Tile] = []

    def on_tile(level: int, index: int, hashes: Sequence[bytes]) -> None:
        joined, root = b"".join(hashes), merkle.root(hashes)
        tiles.append(Tile(level=level, index=index, hashes=joined, root=root))

    frontier = merkle.Frontier(on_tile)
    if before is not None:
        frontier = merkle.Frontier.resume(before.size, tree(before.size), on_tile)
        if frontier.root() != bytes(before.root):
            raise LogRewritten(f"The first {before.size} events are not those that were signed")
    for start in range(frontier.size, size, CHUNK):
        frontier.extend(leaf_hashes(start, min(start + CHUNK, size)))
    root = frontier.root()
    note = checkpoint.make(origin(), size, root, signer("log"))
    return Checkpoint(size=size, root=root, note=note), tiles


def keep(made: Checkpoint) -> None:
    """Write the note as ``<size>.txt`` and, when it is the newest, as ``latest.txt``."""
    newest = checkpoint_files.newest_kept()
    if newest is not None and newest[1].size >= made.size:
        return
    folder = checkpoint_files.folder()
    folder.mkdir(parents=True, exist_ok=True)
    for name in (f"{made.size}.txt", checkpoint_files.LATEST):
        _write(folder / name, made.note)
    _thin_out(folder)


def _write(path: Path, text: str) -> None:
    """Replace ``path`` in one step, on disk before anybody relies on it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    crash_point("audit.before_checkpoint_rename")
    draft.replace(path)
    crash_point("audit.after_checkpoint_rename")


def _thin_out(folder: Path) -> None:
    sizes = checkpoint_files.kept_sizes()
    if len(sizes) < 2 * KEEP_NEWEST:
        return
    days: dict[str, int] = {}
    for size in sizes:
        stamp = (folder / f"{size}.txt").stat().st_mtime
        days[datetime.fromtimestamp(stamp, tz=UTC).date().isoformat()] = size
    wanted = {*sizes[-KEEP_NEWEST:], *days.values()}
    for size in sizes:
        if size not in wanted:
            (folder / f"{size}.txt").unlink(missing_ok=True)
