"""What follows the log, vouches for it and keeps it, as tables."""

from collections.abc import Iterator
from typing import Any

from apps.assurance.queries.retention import sees_retention, visible_archives, visible_holds
from apps.audit.queries import latest_checkpoint
from apps.audit.queries.witnesses import may_see
from apps.console.queries.retention import hold_rows, names_of
from apps.console.queries.tables import BATCH, Filters, ListTable, in_batches
from apps.console.queries.witnesses import (
    LogRow,
    StampRow,
    WitnessRow,
    log_rows,
    stamp_rows,
    witness_rows,
)
from apps.integrations.queries import (
    standings,
    visible_streams,
    visible_webhooks,
    waiting_of,
)
from apps.integrations.standing import failing_since, fault_words, standing_of
from placet.kernel.actor import Actor


def _streams(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    for batch in in_batches(visible_streams(actor).order_by("name")):
        for lag in standings(batch):
            yield lag, lag.stream


def _witnesses(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    if not may_see(actor):
        return
    head = latest_checkpoint()
    yield from ((_witness(row),) for row in witness_rows(head, actor))
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


def _holds(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    if not sees_retention(actor):
        return
    for batch in in_batches(visible_holds(actor).order_by("pk")):
        people = {person for row in batch for person in (row.placed_by, row.lifted_by) if person}
        for row in hold_rows(batch, names_of(batch, people, actor), actor):
            yield row, row.hold


def _archives(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    if not sees_retention(actor):
        return
    for row in visible_archives(actor).order_by("pk").iterator(chunk_size=BATCH):
        yield (row,)


def _webhooks(actor: Actor, filters: Filters) -> Iterator[tuple[Any, ...]]:
    for batch in in_batches(visible_webhooks(actor).order_by("name")):
        counts = waiting_of(batch)
        for row in batch:
            yield counts.get(row.pk, 0), row


WEBHOOKS = ListTable(
    {
        "webhook": lambda waiting, hook: hook.name,
        "service": lambda waiting, hook: hook.service,
        "origin": lambda waiting, hook: hook.origin,
        "groups": lambda waiting, hook: " ".join(hook.groups),
        "project": lambda waiting, hook: hook.project.slug if hook.project else "",
        "state": lambda waiting, hook: standing_of(hook),
        "reason": lambda waiting, hook: hook.reason,
        "disabled_at": lambda waiting, hook: hook.disabled_at,
        "waiting": lambda waiting, hook: waiting,
        "failing_since": lambda waiting, hook: failing_since(hook),
        "last_error": lambda waiting, hook: fault_words(hook),
        "public_key": lambda waiting, hook: hook.public_key,
        "created_at": lambda waiting, hook: hook.created_at,
        "id": lambda waiting, hook: hook.pk,
    },
    (),
    _webhooks,
)
STREAMS = ListTable(
    {
        "stream": lambda lag, stream: stream.name,
        "kind": lambda lag, stream: stream.kind,
        "url": lambda lag, stream: stream.url,
        "project": lambda lag, stream: stream.project.slug if stream.project else "",
        "state": lambda lag, stream: stream.state,
        "next_event": lambda lag, stream: stream.cursor,
        "log_size": lambda lag, stream: lag.size,
        "lag_events": lambda lag, stream: lag.events,
        "lag_seconds": lambda lag, stream: round(lag.seconds, 3),
        "delivered_at": lambda lag, stream: stream.delivered_at,
        "error": lambda lag, stream: stream.error,
        "created_at": lambda lag, stream: stream.created_at,
        "id": lambda lag, stream: stream.pk,
    },
    (),
    _streams,
)
HOLDS = ListTable(
    {
        "hold": lambda row, hold: hold.name,
        "scope": lambda row, hold: hold.scope,
        "subject": lambda row, hold: hold.subject,
        "state": lambda row, hold: hold.state,
        "reason": lambda row, hold: row.reason,
        "placed_by": lambda row, hold: row.placed_by,
        "created_at": lambda row, hold: hold.created_at,
        "lifted_by": lambda row, hold: row.lifted_by,
        "lifted_at": lambda row, hold: hold.lifted_at,
        "id": lambda row, hold: hold.pk,
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
TABLES = {
    "streams": STREAMS,
    "webhooks": WEBHOOKS,
    "holds": HOLDS,
    "archives": ARCHIVES,
    "witnesses": WITNESSES,
}
