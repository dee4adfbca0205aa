"""The unit of work of every action: one transaction, whose last statement is the log."""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import rfc8785
import structlog
from django.db import connection, transaction

from apps.audit.actions.seal import store_sealed
from apps.audit.actions.state import row_state
from apps.audit.entries import NewEvent, entries_of_thread
from apps.audit.events import EventKind, kinds
from apps.audit.kind_groups import ASKED_FOR
from apps.audit.models import Audited, SealedText
from apps.audit.rows import row_key
from placet.kernel.actor import Actor
from placet.kernel.clock import rfc3339
from placet.kernel.faults import crash_point
from placet.kernel.keystore import signer
from placet_verify import canonical
from placet_verify.log import seals
from placet_verify.log.merkle import leaf_hash
from placet_verify.signing.keys import PrivateKey

# Foreign keys are deferred: left alone, COMMIT would check them behind the head, and lock the rows
# that they lead to while everybody waits. Checked here, in the same round trip, they are behind us.
# What is set is computed after the row was locked, so the time is that of the append and not of the
# moment when the statement began to wait. A clock that is set back does not take the log's time
# back with it: that stands still until the clock has caught up.
TAKE_PLACES = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE audit_loghead SET size = size + %s, at = greatest(at, clock_timestamp()) WHERE id = 1
RETURNING size - %s, at, set_config('idle_in_transaction_session_timeout', '5s', true)
"""
INSERT = """
INSERT INTO audit_event ("index", body, leaf_hash)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bytea[])
"""


@dataclass(slots=True)
class Recorder:
    """Collects the events of one unit of work, which appends them as its last statement."""

    actor: Actor
    entries: list[NewEvent] = field(default_factory=list)

    def add(
        self,
        kind: EventKind,
        *rows: Audited,
        subject: str | None = None,
        deleted: tuple[Audited, ...] = (),
        data: dict[str, Any] | None = None,
        actor: Actor | None = None,
        project: str | None = None,
        environment: str | None = None,
    ) -> None:
        """Add an event about ``rows``, whose whole state after the change is logged.

        The first row is the subject unless ``subject`` names another id. ``deleted`` rows are
        logged as ``null``. ``data`` must hold ids, digests, numbers and enumerated words only:
        free text goes through :func:`apps.audit.actions.seal`. Call it after the row was saved.
        ``asked_by`` in it is who asked Placet to do this, which kinds of ``ASKED_FOR`` alone say.
        A sealed kind raises ``KeyUnavailable`` in a process that may not have the access key.
        """
        _check(kind, data or {})
        who = actor or self.actor
        first = rows[0] if rows else deleted[0] if deleted else None
        texts: list[SealedText] = []
        after: dict[str, Any] = {row_key(row): row_state(row, who, texts) for row in rows}
        after.update({row_key(row): None for row in deleted})
        self.entries.append(
            NewEvent(
                kind=kind,
                actor=who,
                subject=subject or (str(first.pk) if first is not None else ""),
                project=project or (first.project_scope() if first is not None else None),
                environment=environment
                or (first.environment_scope() if first is not None else None),
                after=after,
                data=data or {},
                texts=texts,
            )
        )


def _check(kind: EventKind, data: dict[str, Any]) -> None:
    if kind.name not in kinds():
        raise ValueError(f"{kind.name} is not a declared event kind")
    if "asked_by" in data and kind.name not in ASKED_FOR:
        raise ValueError(f"{kind.name} says who asked: that needs an index, see ASKED_FOR")
    if kind.sealed:
        access_key()


@contextmanager
def record(actor: Actor) -> Iterator[Recorder]:
    """Open the unit of work of an action: one transaction, whose last statement is the log.

    A nested action joins the outermost one, which appends every event when it is left. An
    exception takes back change and events together: all of them when it leaves the outermost
    block, those of the nested action (a savepoint) when its caller catches it.
    """
    outer = entries_of_thread.get()
    if outer is not None:
        yield from _nested(outer, actor)
        return
    recorder = Recorder(actor)
    with transaction.atomic():
        token = entries_of_thread.set(recorder.entries)
        try:
            yield recorder
            append(recorder.entries)
            _crash_points("before_commit", recorder.entries)
        finally:
            # before the commit: what waits for that has its own transaction
            entries_of_thread.reset(token)
    _crash_points("after_commit", recorder.entries)


def _crash_points(moment: str, entries: list[NewEvent]) -> None:
    """Every action has one before and one behind its commit, named after each of its events."""
    for entry in entries:
        crash_point(f"{moment}.{entry.kind.name}")


def _nested(outer: list[NewEvent], actor: Actor) -> Iterator[Recorder]:
    before = len(outer)
    try:
        with transaction.atomic():
            yield Recorder(actor, outer)
    except BaseException:
        del outer[before:]
        raise


def append(entries: list[NewEvent]) -> None:
    """Append ``entries`` to the log. Must be the last statement of its transaction.

    Locks the head row and reads ``clock_timestamp()`` under that lock: time order, leaf order and
    commit order are one. Nothing may be locked after this, so foreign keys are checked before: a
    row that refers to what is not there raises ``IntegrityError`` here. Rows may have megabytes,
    which take seconds to write as canonical JSON: all but time and seal is written before.
    """
    if not entries:
        return
    written = [members_of(entry) for entry in entries]
    store_sealed(text for entry in entries for text in entry.texts)
    with connection.cursor() as cursor:
        cursor.execute(TAKE_PLACES, [len(entries), len(entries)])
        cursor.nextset()  # behind the answer to SET CONSTRAINTS
        head_row = cursor.fetchone()
        if head_row is None:
            raise RuntimeError("the log has no head row: run migrate")
        first, at, _ = head_row
        key = access_key() if any(entry.kind.sealed for entry in entries) else None
        bodies = [
            encode(members, at, first + n, key if entry.kind.sealed else None)
            for n, (entry, members) in enumerate(zip(entries, written, strict=True))
        ]
        cursor.execute(
            INSERT,
            [
                list(range(first, first + len(entries))),
                [body.decode("utf-8") for body in bodies],
                [leaf_hash(body) for body in bodies],
            ],
        )


def access_key() -> PrivateKey:
    """Return the key that seals events, kept in memory: a look at the file's time, no more.

    It is read in the transaction at its first use in a process alone. Nobody waits for anything
    meanwhile, because the head of the log is locked only after that.
    """
    return signer("access")


def members_of(entry: NewEvent) -> dict[str, bytes]:
    """Return the members of a body that need no place in the log, as canonical JSON, with a fresh
    128-bit salt."""
    actor = entry.actor
    context = structlog.contextvars.get_contextvars()
    members: dict[str, Any] = {
        "v": 1,
        "kind": entry.kind.name,
        "actor_id": actor.id,
        "actor": {
            "kind": actor.kind,
            "id": actor.id,
            "accountable": actor.accountable,
            "token": actor.token,
        },
        "cause": {"request": context.get("request_id"), "job": context.get("job_id")},
        "subject": entry.subject,
        "project": entry.project,
        "environment": entry.environment,
        "after": entry.after,
        "data": entry.data,
        "salt": base64.b64encode(os.urandom(16)).decode(),
    }
    return {name: rfc8785.dumps(value) for name, value in members.items()}


def encode(
    members: dict[str, bytes], at: datetime, index: int, key: PrivateKey | None = None
) -> bytes:
    """Return the canonical JSON body of an event, sealed by ``key`` for its place ``index`` if
    there is one. Everybody waits meanwhile: what is heavy is in ``members``."""
    dated = members | {"at": rfc8785.dumps(rfc3339(at))}
    body = canonical.assembled(dated)
    if key is None:
        return body
    return canonical.assembled(dated | {"seal": rfc8785.dumps(seals.seal_of(body, index, key))})
