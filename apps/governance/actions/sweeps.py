"""What time alone brings about: releases expire, and waiting gates come to pass."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet

from apps.audit.actions import record
from apps.governance import gates
from apps.governance.actions.advance import approve_if_passed, move_release, store_gates
from apps.governance.actions.break_glass_ends import end_break_glasses_of
from apps.governance.actions.locking import lock_release
from apps.governance.events import RELEASE_EXPIRED
from apps.governance.models import UNFINISHED_STATES, BreakGlass, Release
from apps.governance.queries.facts import WITH_ALL, evaluate, evaluate_many
from apps.governance.queries.waiting import START, decided, to_start
from apps.governance.rules import GLASS_OPEN, ReleaseState
from apps.jobs.actions import enqueue
from apps.jobs.each import each
from apps.jobs.models import Job
from apps.serving.actions import release_prefetch
from apps.serving.rules import EndpointState
from placet.kernel import clock
from placet.kernel.actor import SYSTEM

BATCH = 200
START_AGAIN, LONGEST = 30, 3600  # seconds after a start that failed; twice as long each time


def expire_due(now: datetime | None = None) -> int:
    """Expire every release that was not started in time; return how many."""
    at, faults = now or clock.now(), list[Exception]()
    rows = _late(at).order_by("not_after")[:BATCH]
    expired = sum(each(lambda release: _expire(release, at), rows, faults))
    if faults:
        raise faults[0]
    return expired


def anything_to_end() -> list[QuerySet[Any]]:
    """Return the releases that expire now, and the break-glasses that may end."""
    return [_late(clock.now()), BreakGlass.objects.filter(state__in=GLASS_OPEN)]


def _late(at: datetime) -> QuerySet[Release]:
    return Release.objects.filter(state__in=UNFINISHED_STATES, not_after__lte=at)


def _expire(release: Release, at: datetime) -> bool:
    with record(SYSTEM) as log:
        row = lock_release(release, SYSTEM, "release.view")
        if row.not_after > at or not move_release(
            row, expected=UNFINISHED_STATES, to=ReleaseState.EXPIRED, ended_at=clock.now()
        ):
            return False
        log.add(RELEASE_EXPIRED, row, data={"number": row.number})
        end_break_glasses_of(row, log)
        release_prefetch(row.pk, actor=SYSTEM)
        return True


def advance_waiting() -> int:
    """Approve releases whose people have decided and whose last gate has come to pass meanwhile.

    A gate such as ``soaked`` or ``freeze`` passes by the clock alone. One cheap query when nothing
    waits; return how many were approved.
    """
    rows = decided().select_related("project", *WITH_ALL)
    waiting = list(rows.order_by("created_at")[:BATCH])
    if not waiting:
        return 0
    results = evaluate_many(waiting)
    faults: list[Exception] = []
    passed = [release for release in waiting if gates.passed(results[release.pk])]
    approved = sum(each(_approve, passed, faults))
    if faults:
        raise faults[0]
    return approved


def _approve(release: Release) -> bool:
    with record(SYSTEM) as log:
        row = lock_release(release, SYSTEM, "release.view")
        if row.state != ReleaseState.REQUESTED or row.not_after <= clock.now():
            return False
        results = evaluate(row)
        if not gates.passed(results):
            return False  # nothing is written, so nothing is logged
        return approve_if_passed(row, store_gates(row, results), log)


def start_waiting() -> int:
    """Ask again for the start of approved releases that nothing starts; return of how many.

    The start that an approval asks for fails when, for example, a freeze was set in between. It
    is asked for again once every gate passes, unless somebody released something newer behind
    the endpoint since: then to start the older one is an operator's own decision. At an endpoint
    that is stopped nothing starts: whoever starts that has it asked for.
    """
    active = to_start().exclude(endpoint__state=EndpointState.STOPPED)
    releases = list(active.select_related("project", *WITH_ALL).order_by("number")[:BATCH])
    waiting = _nobody_starts(releases) if releases else []
    results = evaluate_many(waiting) if waiting else {}
    ready = [release for release in waiting if gates.passed(results[release.pk])]
    ask_for_start(ready)
    return len(ready)


def ask_for_start(releases: Iterable[Release]) -> None:
    """Have the rollouts of ``releases`` started."""
    for release in releases:
        enqueue(START, key=release.pk, project=release.project_id, release=release.pk)


def _nobody_starts(releases: list[Release]) -> list[Release]:
    """Leave out those whose start is under way, or failed so lately that it would fail again."""
    jobs = Job.objects.filter(kind=START, key__in=[release.pk for release in releases])
    ended = Count("pk", filter=Q(finished_at__isnull=False))
    rows = jobs.values("key").annotate(all=Count("pk"), ended=ended, last=Max("finished_at"))
    attempts = {row["key"]: row for row in rows}
    waiting = []
    for release in releases:
        row = attempts.get(release.pk)
        if row is not None:
            pause = timedelta(seconds=min(START_AGAIN * 2 ** min(row["ended"], 10), LONGEST))
            if row["all"] > row["ended"] or row["last"] + pause > clock.now():
                continue
        waiting.append(release)
    return waiting
