"""The file that archived events go into: events, the tiles above them, the checkpoint, the keys.

``placet_verify.log.archived_events`` reads it, and needs nothing else but the root key.
"""

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from apps.audit.models import Checkpoint, Event
from apps.audit.names import origin
from apps.audit.queries.proofs import cosigned_note, full_tile, leaf_hashes, tree
from placet.kernel.keystore import keys_document, root_public
from placet_verify.bundle.export import log_line
from placet_verify.log import archived_events
from placet_verify.log.merkle import TILE_HEIGHT, TILE_WIDTH
from placet_verify.log.tiles import path as tile_path

EPOCH = (1980, 1, 1, 0, 0, 0)
BATCH = 500


def write_file(path: Path, indexes: Sequence[int], head: Checkpoint, leaves: str) -> None:
    """Write the archive of some events, which ``head`` covers, to ``path``."""
    about = {
        "v": 1,
        "origin": origin(),
        "size": head.size,
        "first": indexes[0],
        "last": indexes[-1],
        "count": len(indexes),
        "leaves": leaves,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        _add(file, archived_events.ABOUT, json.dumps(about, indent=1).encode() + b"\n")
        _add(file, archived_events.CHECKPOINT, cosigned_note(head).encode())
        _add(file, archived_events.KEYS, keys_document().encode())
        _add(file, archived_events.ROOT, root_public().to_pem())
        for level, index, hashes in _tiles(indexes, head.size):
            _add(file, tile_path(level, index, len(hashes)), b"".join(hashes))
        with file.open(_member(archived_events.EVENTS), "w", force_zip64=True) as stream:
            for line in _lines(indexes):
                stream.write(line)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    return member


def _add(file: zipfile.ZipFile, name: str, content: bytes) -> None:
    file.writestr(_member(name), content)


def _lines(indexes: Sequence[int]) -> Iterator[bytes]:
    for start in range(0, len(indexes), BATCH):
        rows = Event.objects.filter(pk__in=indexes[start : start + BATCH]).order_by("index")
        for event in rows.iterator(chunk_size=BATCH):
            yield log_line(event.index, event.body, bytes(event.leaf_hash))


def _tiles(indexes: Sequence[int], size: int) -> Iterator[tuple[int, int, list[bytes]]]:
    """Yield the tiles that hold these leaves, and every one that is needed to get to the root."""
    last = size // TILE_WIDTH
    wanted = {index // TILE_WIDTH for index in indexes} | ({last} if size % TILE_WIDTH else set())
    for index in sorted(wanted):
        stored = full_tile(0, index) if index < last else None
        start = index * TILE_WIDTH
        yield (
            0,
            index,
            (
                [stored[at : at + 32] for at in range(0, len(stored), 32)]
                if stored is not None
                else leaf_hashes(start, min(start + TILE_WIDTH, size))
            ),
        )
    source, level = tree(size), 1
    while count := size >> (TILE_HEIGHT * level):
        for index in range(-(-count // TILE_WIDTH)):
            yield level, index, source.tile(level, index)
        level += 1
