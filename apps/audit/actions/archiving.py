"""Moving the bodies of old events out of the database, when a file holds them.

Only the role that owns the tables can: the application's may not even delete a row of the log. The
leaf hashes stay, so every proof stays what it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from django.db import connection

from apps.audit.actions.record import record
from apps.audit.errors import ArchiveOvertaken, NothingToArchive
from apps.audit.events import ARCHIVED
from apps.audit.hooks import followers
from apps.audit.models import Archive, Checkpoint, Event
from apps.audit.queries.archived import ArchiveTerms, archivable, leaves_digest
from apps.audit.queries.proofs import latest_checkpoint
from placet.kernel.actor import Actor

LOCK = 0x6B656570  # any number that no other advisory lock has: holds and archives, one by one
IS_OWNER = """
SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class
WHERE oid = 'audit_event'::regclass
"""
MOVE = """
INSERT INTO audit_archivedleaf ("index", leaf_hash, archive_id)
SELECT "index", leaf_hash, %s FROM audit_event WHERE "index" = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class ArchivePlan:
    """What goes into one file. ``rest`` tells whether more waits behind it."""

    terms: ArchiveTerms
    indexes: tuple[int, ...]
    leaves: str
    head: Checkpoint


@dataclass(frozen=True, slots=True)
class Filed:
    """A file that was stored."""

    digest: str
    bytes: int


def owns_tables() -> bool:
    """Tell whether we are the role that owns the tables of the log."""
    with connection.cursor() as cursor:
        cursor.execute(IS_OWNER)
        return bool(cursor.fetchone()[0])


def lock_holds() -> None:
    """Let holds and archives come one after the other until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def limit() -> tuple[int, str]:
    """Return below which index events may go, and in words what keeps those behind it here."""
    head = latest_checkpoint()
    if head is None:
        return 0, "No checkpoint is signed yet"
    first = min(chain(*followers()), key=lambda one: one.index, default=None)
    if first is not None and first.index < head.size:
        return first.index, f"{first.who} has only the first {first.index:,} events"
    return head.size, "Newer events are not signed yet"


def plan(terms: ArchiveTerms, *, why: str = "") -> ArchivePlan:
    """Choose the oldest events that may go, as many as one file takes.

    Raises :class:`NothingToArchive` when there are none, with ``why``.
    """
    head, indexes = latest_checkpoint(), archivable(terms)
    if head is None or not indexes:
        raise NothingToArchive(f"No event may be archived. {why}".strip())
    return ArchivePlan(terms, indexes, leaves_digest(_leaves(indexes)), head)


def _leaves(indexes: Sequence[int]) -> list[tuple[int, bytes | memoryview]]:
    rows = Event.objects.filter(pk__in=indexes).order_by("index")
    return list(rows.values_list("index", "leaf_hash"))


def move_events(
    made: ArchivePlan, filed: Filed, *, held: Callable[[], tuple[str, ...]], actor: Actor
) -> Archive:
    """Take the events of ``made`` out of the database, which lie in a file that was read back.

    All in one transaction with the event that says so. ``held`` is asked under the lock that holds
    are placed under. Raises :class:`ArchiveOvertaken` when one of the events may no longer go.
    """
    with record(actor) as log:
        lock_holds()
        now_held = ArchiveTerms(made.terms.before, min(made.terms.limit, limit()[0]), held())
        indexes = list(made.indexes)
        if archivable(now_held, only=indexes) != made.indexes:
            raise ArchiveOvertaken
        row = Archive.objects.create(
            first=indexes[0],
            last=indexes[-1],
            count=len(indexes),
            leaves=made.leaves,
            size=made.head.size,
            file=filed.digest,
            bytes=filed.bytes,
            older_than=made.terms.before,
        )
        if leaves_digest(_leaves(indexes)) != made.leaves:
            raise ArchiveOvertaken
        with connection.cursor() as cursor:
            cursor.execute(MOVE, [row.pk, indexes])
            cursor.execute('DELETE FROM audit_event WHERE "index" = ANY(%s)', [indexes])
        log.add(
            ARCHIVED,
            row,
            data={"count": row.count, "first": row.first, "last": row.last, "file": row.file},
        )
    return row
