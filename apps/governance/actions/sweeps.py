"""What time alone brings about: releases expire, and waiting gates come to pass."""

from datetime import datetime

from apps.audit.actions import record
from apps.governance import gates
from apps.governance.actions.advance import approve_if_passed, move_release, store_gates
from apps.governance.actions.locking import lock_release
from apps.governance.events import RELEASE_EXPIRED
from apps.governance.models import UNFINISHED_STATES, Release
from apps.governance.queries.facts import WITH_ALL, evaluate, evaluate_many
from apps.serving.actions import release_prefetch
from placet.kernel import clock
from placet.kernel.actor import SYSTEM

BATCH = 200


def expire_due(now: datetime | None = None) -> int:
    """Expire every release that was not started in time; return how many."""
    at = now or clock.now()
    due = Release.objects.filter(state__in=UNFINISHED_STATES, not_after__lte=at)
    return sum(_expire(release, at) for release in due.order_by("not_after")[:BATCH])


def _expire(release: Release, at: datetime) -> bool:
    with record(SYSTEM) as log:
        row = lock_release(release, SYSTEM, "release.view")
        if row.not_after > at or not move_release(
            row, expected=UNFINISHED_STATES, to="expired", ended_at=clock.now()
        ):
            return False
        log.add(RELEASE_EXPIRED, row, data={"number": row.number})
        release_prefetch(row.pk, actor=SYSTEM)
        return True


def advance_waiting() -> int:
    """Approve releases whose people have decided and whose last gate has come to pass meanwhile.

    A gate such as ``soaked`` or ``freeze`` passes by the clock alone. One cheap query when nothing
    waits; return how many were approved.
    """
    waiting = list(
        Release.objects.filter(state="requested", quorum_met=True, not_after__gt=clock.now())
        .select_related("project", *WITH_ALL)
        .order_by("created_at")[:BATCH]
    )
    if not waiting:
        return 0
    results = evaluate_many(waiting)
    return sum(_approve(r) for r in waiting if gates.passed(results[r.pk]))


def _approve(release: Release) -> bool:
    with record(SYSTEM) as log:
        row = lock_release(release, SYSTEM, "release.view")
        if row.state != "requested" or row.not_after <= clock.now():
            return False
        results = evaluate(row)
        if not gates.passed(results):
            return False  # nothing is written, so nothing is logged
        return approve_if_passed(row, store_gates(row, results), log)
