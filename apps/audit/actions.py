"""Writing the log: the unit of work that every action runs in, and sealed text."""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import rfc8785
import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection, models, transaction

from apps.audit.events import EventKind, kinds
from apps.audit.models import Audited, Event, LogHead, PersonKey, SealedText
from placet.kernel.actor import Actor
from placet.kernel.clock import rfc3339
from placet_verify.merkle import leaf_hash

_current: ContextVar["Recorder | None"] = ContextVar("audit_recorder", default=None)


@dataclass(slots=True)
class Entry:
    """One event before it has an index and a time."""

    kind: EventKind
    actor: Actor
    subject: str
    project: str | None
    environment: str | None
    after: dict[str, Any]
    data: dict[str, Any]


@dataclass(slots=True)
class Recorder:
    """Collects the events of one unit of work and appends them as its last statement."""

    actor: Actor
    entries: list[Entry] = field(default_factory=list)

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
        free text goes through :func:`seal`. Call it after the row was saved.
        """
        if kind.name not in kinds():
            raise ValueError(f"{kind.name} is not a declared event kind")
        who = actor or self.actor
        first = rows[0] if rows else deleted[0] if deleted else None
        after: dict[str, Any] = {row_key(row): row_state(row, who) for row in rows}
        after.update({row_key(row): None for row in deleted})
        self.entries.append(
            Entry(
                kind=kind,
                actor=who,
                subject=subject or (str(first.pk) if first is not None else ""),
                project=project or (first.project_scope() if first is not None else None),
                environment=environment
                or (first.environment_scope() if first is not None else None),
                after=after,
                data=data or {},
            )
        )


@contextmanager
def record(actor: Actor) -> Iterator[Recorder]:
    """Open the unit of work of an action: one transaction, whose last statement is the log.

    Nested actions join the outermost one. Leaving the outermost block appends every event; an
    exception rolls back change and events together.
    """
    outer = _current.get()
    if outer is not None:
        inner = Recorder(actor, outer.entries)
        yield inner
        return
    recorder = Recorder(actor)
    token = _current.set(recorder)
    try:
        with transaction.atomic():
            yield recorder
            append(recorder.entries)
    finally:
        _current.reset(token)


def append(entries: list[Entry]) -> None:
    """Append ``entries`` to the log. Must be the last statement of its transaction.

    Locks the head row, then reads ``clock_timestamp()``: time order, leaf order and commit order
    are one. Nothing may be locked after this.
    """
    if not entries:
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '5s'")
        cursor.execute("SELECT size, clock_timestamp() FROM audit_loghead WHERE id = 1 FOR UPDATE")
        found = cursor.fetchone()
    if found is None:
        raise RuntimeError("the log has no head row: run migrate")
    size, at = found
    events = []
    for offset, entry in enumerate(entries):
        body = encode(entry, at)
        events.append(
            Event(index=size + offset, body=body, leaf_hash=leaf_hash(body.encode("utf-8")))
        )
    Event.objects.bulk_create(events)
    LogHead.objects.filter(id=1).update(size=size + len(entries))


def encode(entry: Entry, at: datetime) -> str:
    """Return the canonical JSON body of ``entry`` with a fresh 128-bit salt."""
    actor = entry.actor
    context = structlog.contextvars.get_contextvars()
    body = {
        "v": 1,
        "kind": entry.kind.name,
        "at": rfc3339(at),
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
    return rfc8785.dumps(body).decode("utf-8")


def row_key(row: models.Model) -> str:
    """Return the name of a row in ``after``: ``app.model:primary key``."""
    return f"{row._meta.label_lower}:{row.pk}"


def row_state(row: Audited, actor: Actor) -> dict[str, Any]:
    """Return every logged column of ``row`` as JSON values, sealed ones as commitments.

    A sealed text is kept under the key of the person it belongs to: the row itself when it is a
    person, else the accountable actor.
    """
    owner = str(row.pk) if str(row.pk).startswith("per_") else actor.accountable
    state: dict[str, Any] = {}
    for column in row._meta.concrete_fields:
        if column.name in row.LOG_HIDDEN:
            continue
        value = getattr(row, column.attname)
        if column.name in row.LOG_SEALED:
            value = seal(str(value), person=owner) if value else ""
        state[column.attname] = plain(value)
    for relation in row._meta.many_to_many:
        if isinstance(row, Audited) and relation.name not in row.LOG_HIDDEN | {
            "groups",
            "user_permissions",
        }:
            state[relation.name] = sorted(
                str(pk) for pk in getattr(row, relation.name).values_list("pk", flat=True)
            )
    return state


def plain(value: Any) -> Any:
    """Return ``value`` as canonical JSON can hold it; times are RFC 3339, big numbers text."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value)
    if isinstance(value, dict | list):
        return json.loads(json.dumps(value, default=str), parse_int=_bounded)
    return value


def _bounded(text: str) -> int | str:
    number = int(text)
    return number if abs(number) < 2**53 else text


def seal(text: str, *, person: str) -> str:
    """Store ``text`` encrypted under ``person``'s key and return ``sha256:…`` of salt ‖ text.

    The commitment may be hashed and signed; the text comes back through
    :func:`apps.audit.queries.unseal` until the person's key is erased.
    """
    salt = os.urandom(16)
    raw = text.encode("utf-8")
    commitment = "sha256:" + hashlib.sha256(salt + raw).hexdigest()
    key, _ = PersonKey.objects.get_or_create(
        person_id=person, defaults={"key": AESGCM.generate_key(bit_length=256)}
    )
    nonce = os.urandom(12)
    ciphertext = nonce + AESGCM(bytes(key.key)).encrypt(nonce, salt + raw, commitment.encode())
    SealedText.objects.create(commitment=commitment, person_id=person, ciphertext=ciphertext)
    return commitment
