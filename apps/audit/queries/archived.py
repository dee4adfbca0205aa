"""Events whose bodies lie in an archive file: which may go there, and what is left of them here."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import Any

import psycopg
from django.db import connection
from django.db.models import Count, QuerySet

from apps.audit.models import Archive, ArchivedLeaf, Event
from placet.kernel.actor import INSTANCE, Actor
from placet.kernel.clock import rfc3339
from placet_verify.log.checking import Fault, LeafRecord
from placet_verify.log.seals import SEALED_KINDS

Leaf = Event | ArchivedLeaf
MOST = 50_000  # events of one file

# What stays: events that vouch for access, what the papers of a release prove, how emergency
# releases ended, what served when,
# and the newest state of every row, because the log alone must give every row.
STAY_WHOLE = ("release", "break_glass", "revision", "endpoint")
STAY = (*sorted(SEALED_KINDS), "policy.published.v1", "passkey.enrolled.v1")
ARCHIVABLE = """
WITH newest AS (
  SELECT DISTINCT max(e."index") AS place
  FROM audit_event e, jsonb_object_keys(e.body::jsonb -> 'after') AS key GROUP BY key
)
SELECT e."index" FROM audit_event e
WHERE e."index" < %(limit)s AND e.at < %(before)s
  AND NOT e.kind = ANY(%(stay)s) AND NOT split_part(e.kind, '.', 1) = ANY(%(stay_whole)s)
  AND (%(only)s::bigint[] IS NULL OR e."index" = ANY(%(only)s))
  AND NOT EXISTS (SELECT 1 FROM unnest(%(held)s::text[]) AS held WHERE strpos(e.body, held) > 0)
  AND NOT EXISTS (SELECT 1 FROM newest WHERE newest.place = e."index")
ORDER BY e."index" LIMIT %(most)s
"""

RECORDS = """
SELECT "index", body, leaf_hash FROM (
  SELECT *, sum(octet_length(body)) OVER (
    ORDER BY "index" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ) AS before FROM (
    (SELECT "index", body, leaf_hash FROM audit_event
     WHERE "index" > %(last)s ORDER BY "index" LIMIT 8192)
    UNION ALL
    (SELECT "index", NULL, leaf_hash FROM audit_archivedleaf
     WHERE "index" > %(last)s ORDER BY "index" LIMIT 8192)
    ORDER BY "index" LIMIT 8192
  ) AS next
) AS counted WHERE coalesce(before, 0) < %(most)s ORDER BY "index"
"""  # without the inner limits PostgreSQL sorts all that is left, each time
MOST_BYTES = 16 << 20  # of bodies at once, and the one that makes it more
NO_INDEX = -(2**63)


@dataclass(frozen=True, slots=True)
class ArchiveTerms:
    """Which events may go: older than ``before``, of places below ``limit``, and mentioning none of
    ``held`` (ids; '' stands in every event)."""

    before: datetime
    limit: int
    held: tuple[str, ...] = ()


def archivable(terms: ArchiveTerms, *, only: Sequence[int] | None = None) -> tuple[int, ...]:
    """Return the oldest events that may be archived, as many as one file takes; of ``only`` these
    where they are given."""
    if "" in terms.held:
        return ()
    values: dict[str, Any] = {
        "limit": terms.limit,
        "before": rfc3339(terms.before),
        "stay": list(STAY),
        "stay_whole": list(STAY_WHOLE),
        "held": list(terms.held),
        "most": MOST,
        "only": None if only is None else list(only),
    }
    with connection.cursor() as cursor:
        cursor.execute(ARCHIVABLE, values)
        return tuple(index for (index,) in cursor.fetchall())


def leaves_digest(leaves: Iterable[tuple[int, bytes | memoryview]]) -> str:
    """Return the digest of which events were archived: index (8 bytes) and leaf hash of each."""
    hasher = hashlib.sha256()
    for index, leaf in leaves:
        hasher.update(index.to_bytes(8, "big") + bytes(leaf))
    return f"sha256:{hasher.hexdigest()}"


def archives() -> QuerySet[Archive]:
    """Return the archives; what is in them is read from their files."""
    return Archive.objects.all()


def archive_of(index: int, actor: Actor) -> tuple[ArchivedLeaf, Archive] | None:
    """Return the leaf of an archived event and where it is, for who reads the whole log."""
    if not actor.can("audit.view", INSTANCE):
        return None
    rows = ArchivedLeaf.objects.select_related("archive").filter(pk=min(index, 2**62))
    leaf = rows.first()
    return (leaf, leaf.archive) if leaf else None


def in_order(events: Iterable[Event], archived: Iterable[ArchivedLeaf]) -> Iterator[Leaf]:
    """Yield both, each in the order of its index, in one order."""
    both: list[Iterable[Leaf]] = [events, archived]
    return iter(merge(*both, key=lambda leaf: leaf.index))


def every_record(after: int = NO_INDEX) -> Iterator[LeafRecord]:
    """Yield the whole log, or what comes ``after`` an index, as verifiers take it: archived events
    by their hash alone.

    Both are read with one statement at a time, so that what is archived meanwhile is seen once.
    """
    connection.ensure_connection()
    last = after
    # Not Django's cursor, which knows no binary form: hashes would come as text.
    with psycopg.Cursor(connection.connection) as cursor:
        while True:
            values = {"last": last, "most": MOST_BYTES}
            with connection.wrap_database_errors:
                rows = cursor.execute(RECORDS, values, binary=True).fetchall()
            if not rows:
                return
            yield from rows
            last = rows[-1][0]


def wrong_archives() -> Iterator[Fault]:
    """Yield the archives of which the leaves are not those that were archived."""
    held = dict(
        ArchivedLeaf.objects.order_by()
        .values("archive")
        .annotate(n=Count("pk"))
        .values_list("archive", "n")
    )
    for row in Archive.objects.order_by("pk"):
        place = f"archive {row.pk}"
        leaves = ArchivedLeaf.objects.filter(archive=row).order_by("index")
        digest = leaves_digest(leaves.values_list("index", "leaf_hash").iterator(chunk_size=8192))
        if (held.get(row.pk, 0), digest) != (row.count, row.leaves):
            yield Fault(place, f"{place}: its leaves are not the {row.count} that were archived")
