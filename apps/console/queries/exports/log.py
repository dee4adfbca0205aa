"""What follows the log, vouches for it and keeps it, as tables."""

from collections.abc import Iterator
from typing import Any

from apps.assurance.queries.retention import sees_retention, visible_archives, visible_holds
from apps.audit.queries import latest_checkpoint
from apps.audit.queries.witnesses import may_see
from apps.console.queries.actor_names import actor_names
from apps.console.queries.retention import hold_rows
from apps.console.queries.tables import BATCH, Filters, ListTable, in_batches
from apps.console.queries.witnesses import (
    LogRow,
    StampRow,
    WitnessRow,
    log_rows,
    stamp_rows,
    witness_rows,
)
from apps.integrations.queries import standings, visible_streams
from placet.kernel.actor import Actor


def _streams(actor: Actor, given: Filters) -> Iterator[tuple[Any, ...]]:
    for batch in in_batches(visible_streams(actor).order_by("name")):
        for found in standings(batch):
            yield found, found.stream


def _witnesses(actor: Actor, given: Filters) -> Iterator[tuple[Any, ...]]:
    if not may_see(actor):
        return
    head = latest_checkpoint()
    yield from ((_witness(row),) for row in witness_rows(actor, head))
    yield from ((_stamp(row),) for row in stamp_rows(head))
    yield from ((_witnessed(row),) for row in log_rows(actor))


def _witness(row: WitnessRow) -> dict[str, Any]:
    witness, state = row.witness, row.witness.state
    return {
        "witnessed": "of this log",
        "name": witness.name,
        "kind": witness.kind,
        "address": witness.address,
        "key": witness.key,
        "state": row.word,
        "events": state.size,
        "seen_at": state.seen_at,
        "fault": state.sentence,
        "error": state.error,
        "created_at": witness.created_at,
        "id": witness.pk,
    }


def _stamp(row: StampRow) -> dict[str, Any]:
    state = row.state
    return {
        "witnessed": "time of this log",
        "name": state.authority,
        "kind": "rfc3161",
        "state": row.word,
        "events": state.size,
        "seen_at": state.at,
        "fault": state.sentence,
        "error": state.error,
        "created_at": state.created_at,
        "id": state.authority,
    }


def _witnessed(row: LogRow) -> dict[str, Any]:
    log, head = row.log, row.head
    return {
        "witnessed": "by this installation",
        "name": log.origin,
        "kind": "log",
        "key": log.key,
        "state": "Showed two histories" if head and head.fork else "",
        "events": head.size if head else 0,
        "seen_at": head and head.cosigned_at,
        "created_at": log.created_at,
        "id": log.pk,
    }


def _holds(actor: Actor, given: Filters) -> Iterator[tuple[Any, ...]]:
    if not sees_retention(actor):
        return
    for batch in in_batches(visible_holds(actor).order_by("pk")):
        people = {person for row in batch for person in (row.placed_by, row.lifted_by) if person}
        for found in hold_rows(batch, actor_names(people), actor):
            yield found, found.hold


def _archives(actor: Actor, given: Filters) -> Iterator[tuple[Any, ...]]:
    if not sees_retention(actor):
        return
    for row in visible_archives(actor).order_by("pk").iterator(chunk_size=BATCH):
        yield (row,)


STREAMS = ListTable(
    {
        "stream": lambda found, row: row.name,
        "kind": lambda found, row: row.kind,
        "url": lambda found, row: row.url,
        "project": lambda found, row: row.project.slug if row.project else "",
        "state": lambda found, row: row.state,
        "next_event": lambda found, row: row.cursor,
        "log_size": lambda found, row: found.size,
        "lag_events": lambda found, row: found.events,
        "lag_seconds": lambda found, row: round(found.seconds, 3),
        "delivered_at": lambda found, row: row.delivered_at,
        "error": lambda found, row: row.error,
        "created_at": lambda found, row: row.created_at,
        "id": lambda found, row: row.pk,
    },
    (),
    _streams,
)
HOLDS = ListTable(
    {
        "hold": lambda found, row: row.name,
        "scope": lambda found, row: row.scope,
        "subject": lambda found, row: row.subject,
        "state": lambda found, row: row.state,
        "reason": lambda found, row: found.reason,
        "placed_by": lambda found, row: found.placed_by,
        "created_at": lambda found, row: row.created_at,
        "lifted_by": lambda found, row: found.lifted_by,
        "lifted_at": lambda found, row: row.lifted_at,
        "id": lambda found, row: row.pk,
    },
    (),
    _holds,
)
ARCHIVES = ListTable(
    {
        "first": lambda row: row.first,
        "last": lambda row: row.last,
        "events": lambda row: row.count,
        "size": lambda row: row.size,
        "file": lambda row: row.file,
        "bytes": lambda row: row.bytes,
        "older_than": lambda row: row.older_than,
        "created_at": lambda row: row.created_at,
        "id": lambda row: row.pk,
    },
    (),
    _archives,
)
WITNESSES = ListTable(
    {
        name: lambda row, name=name: row.get(name, "")
        for name in (
            "witnessed",
            "name",
            "kind",
            "address",
            "key",
            "state",
            "events",
            "seen_at",
            "fault",
            "error",
            "created_at",
            "id",
        )
    },
    (),
    _witnesses,
)
TABLES = {"streams": STREAMS, "holds": HOLDS, "archives": ARCHIVES, "witnesses": WITNESSES}
