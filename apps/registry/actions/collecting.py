"""Removing blobs that nothing needs: condemned first, swept a grace later.

```
old and not needed ──► condemned ──(grace)──► sweeping ──► gone
                           │ claimed by whoever puts or relies on the bytes, or needed again
                           └──► kept
```
Whoever is about to rely on bytes claims them first, which takes the sentence away, and must have
written down what needs them within the grace. A blob being swept cannot be claimed: 409, and a
moment later the bytes are put anew. One sweeper at a time, by a lock that lives as long as the
sweeper's connection: one that was put to sleep still holds it, so nobody sweeps beside it.

What a project brought counts for its quota until the blob is gone; and where others need it, or it
never came into the store, until it would be gone otherwise.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import QuerySet

from apps.audit.actions import record
from apps.jobs.each import each
from apps.registry.events import BLOBS_COLLECTED
from apps.registry.hooks import needed
from apps.registry.models import CondemnedBlob, StoredContent
from apps.registry.store import Store, Stored, store
from apps.registry.usage import collected_within
from placet.kernel.actor import Actor
from placet.kernel.clock import database_now
from placet.kernel.config import config
from placet.kernel.faults import crash_point

T = TypeVar("T")
BATCH = 500
SWEPT_AT_ONCE = 50  # until they are logged, the same bytes cannot be put anew
CONDEMNING = timedelta(hours=1)  # a pass takes less; what is recorded later is being stored anew
LOCK = 0x706C6163  # any number that no other advisory lock has


@dataclass(frozen=True, slots=True)
class Collected:
    """What a pass came to."""

    condemned: int = 0
    blobs: int = 0
    size: int = 0


def unneeded(blobs: Store, before: datetime) -> Iterator[Stored]:
    """Yield the blobs last written before that time which nothing needs."""
    old = (blob for blob in blobs.listing() if blob.modified < before)
    for some in _batches(old):
        kept = needed([blob.sha256 for blob in some])
        yield from (blob for blob in some if blob.sha256 not in kept)


def collect_blobs(*, actor: Actor) -> Collected:
    """Condemn what nothing needs and remove what was condemned a grace ago.

    A blob that cannot be removed stops no other: what it raised is raised at the end. Where none of
    many can, the store itself is away, and the rest are not begun with.
    """
    blobs, now = store(), database_now()
    grace = timedelta(hours=config().collect_grace_hours)
    with _alone() as alone:
        if not alone:
            return Collected()
        condemned = _condemn(blobs, now)
        old = StoredContent.objects.filter(at__lt=now - collected_within())
        _count_no_longer(old.exclude(sha256__in=CondemnedBlob.objects.values("sha256")))
        due = CondemnedBlob.objects.filter(condemned_at__lte=now - grace).order_by("pk")
        swept, faults = list[CondemnedBlob](), list[Exception]()
        for some in _batches(list(due), SWEPT_AT_ONCE):
            gone = _sweep(blobs, some, actor, faults)
            swept += gone
            if faults and not gone:
                break
    if faults:
        raise faults[0]
    return Collected(condemned, len(swept), sum(row.size for row in swept))


def _sweep(
    blobs: Store, rows: Iterable[CondemnedBlob], actor: Actor, faults: list[Exception]
) -> list[CondemnedBlob]:
    """Remove the bytes of some rows, and return those rows.

    They go in the transaction that logs it: a sweeper who dies before is followed by one who finds
    them, removes what is left, and says so.
    """

    def remove(row: CondemnedBlob) -> list[CondemnedBlob]:
        if not _sentence(row.pk):
            return []
        crash_point("registry.before_blob_swept")
        blobs.delete(row.pk)
        crash_point("registry.after_blob_swept")
        return [row]

    gone = [row for removed in each(remove, rows, faults) for row in removed]
    if gone:
        with record(actor) as log:
            digests = [row.pk for row in gone]
            CondemnedBlob.objects.filter(pk__in=digests, sweeping=True).delete()
            before = max(row.condemned_at for row in gone) + CONDEMNING
            _count_no_longer(StoredContent.objects.filter(sha256__in=digests, at__lt=before))
            log.add(
                BLOBS_COLLECTED,
                subject="store",
                data={"blobs": len(gone), "bytes": sum(row.size for row in gone)},
            )
    return gone


def _condemn(blobs: Store, now: datetime) -> int:
    before = now - timedelta(days=config().collect_after_days)
    condemned = 0
    for some in _batches(unneeded(blobs, before)):
        rows = {
            f.sha256: CondemnedBlob(sha256=f.sha256, size=f.size, condemned_at=now) for f in some
        }
        for known in CondemnedBlob.objects.filter(pk__in=rows).values_list("pk", flat=True):
            del rows[known]
        condemned += len(CondemnedBlob.objects.bulk_create(rows.values()))
    return condemned


def _count_no_longer(contents: QuerySet[StoredContent]) -> None:
    """End the rows of contents, but of those that somebody is just recording anew."""
    with transaction.atomic():
        rows = contents.select_for_update(skip_locked=True).values_list("pk", flat=True)
        StoredContent.objects.filter(pk__in=list(rows)).delete()


def _sentence(sha256: str) -> bool:
    """Make sure, under the row's lock, that nothing needs the blob by now; then it is swept."""
    with transaction.atomic():
        row = CondemnedBlob.objects.select_for_update().filter(pk=sha256).first()
        if row is None:
            return False
        if not row.sweeping and needed([sha256]):
            row.delete()
            return False
        row.sweeping = True
        row.save(update_fields=["sweeping"])
        return True


def _batches(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


@contextmanager
def _alone() -> Iterator[bool]:
    """Tell whether no other sweeper works, and keep it so."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        (alone,) = cursor.fetchone()
        try:
            yield bool(alone)
        finally:
            if alone:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
