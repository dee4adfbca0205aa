"""Handing the log out: a folder that the offline verifier reads, and the event that it was done."""

import json
from collections.abc import Iterator
from pathlib import Path

from django.db.models import Count, QuerySet

from apps.audit.actions.checkpoint import write_checkpoint
from apps.audit.actions.record import record
from apps.audit.events import AUDIT_EXPORTED
from apps.audit.models import Checkpoint, Event
from apps.audit.queries.export import csv_lines, every_event, jsonl_lines, tiles_of
from apps.audit.queries.proofs import (
    cosigned_note,
    latest_checkpoint,
    latest_cosigned,
    log_size,
)
from apps.audit.queries.timestamps import every_stamp
from placet.kernel.actor import Actor
from placet.kernel.config import config
from placet.kernel.keystore import export as export_keys
from placet.kernel.problems import Conflict, NeedsPermission


def log_export(actor: Actor, *, form: str, count: int, project: str | None = None) -> None:
    """Log that ``actor`` took a copy of ``count`` events."""
    with record(actor) as log:
        log.add(AUDIT_EXPORTED, project=project, data={"format": form, "count": count})


def log_export_of(actor: Actor, events: QuerySet[Event], *, form: str) -> None:
    """Log that ``actor`` took a copy of ``events``, in each project that some are of: its auditors
    see who took them, and nobody else's do. Where some are of none, it was the log that was taken:
    once for all."""
    counts = dict(events.order_by().values_list("project").annotate(Count("index")))
    if not counts or None in counts:
        counts = {None: sum(counts.values())}
    with record(actor) as log:
        for project, count in counts.items():
            log.add(AUDIT_EXPORTED, project=project, data={"format": form, "count": count})


def export_folder(folder: Path, *, actor: Actor) -> Checkpoint:
    """Write the whole log up to its newest checkpoint into ``folder``, which must be empty.

    The folder holds ``events.jsonl``, ``events.csv``, ``checkpoint.txt``, the newest checkpoint
    that witnesses cosigned (``cosigned.txt``), the tiles, the time stamps and the public keys.
    Needs ``audit.export`` for the instance. The export itself is an event, signed with it.
    """
    if not actor.can("audit.export"):
        raise NeedsPermission(actor, "audit.export")
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"{folder} is not empty", code="not_empty")
    log_export(actor, form="folder", count=log_size() + 1)  # its own event goes with it
    cosigned = latest_cosigned()
    head = write_checkpoint() or latest_checkpoint()
    assert head is not None
    folder.mkdir(parents=True, exist_ok=True)
    _write_lines(folder / "events.jsonl", jsonl_lines(every_event(head.size)))
    _write_lines(folder / "events.csv", csv_lines(every_event(head.size)))
    (folder / "checkpoint.txt").write_text(cosigned_note(head), "utf-8")
    if cosigned is not None:
        (folder / "cosigned.txt").write_text(cosigned_note(cosigned), "utf-8")
    _write_stamps(folder / "timestamps", head.size)
    for name, hashes in tiles_of(head.size):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(hashes)
    export_keys(config().keys, folder)
    _describe(folder, head)
    return head


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(lines)


def _write_stamps(folder: Path, size: int) -> None:
    """Write each stamp as an RFC 3161 answer, beside the very bytes that it is over."""
    for one in every_stamp(size):
        folder.mkdir(exist_ok=True)
        note = folder / f"{one.row.size}.txt"
        note.write_bytes(one.note.encode("utf-8"))
        note.with_name(f"{one.row.size}-{one.row.authority}.tsr").write_bytes(one.reply)


def _describe(folder: Path, head: Checkpoint) -> None:
    about = {"v": 1, "size": head.size, "root": bytes(head.root).hex()}
    (folder / "export.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
