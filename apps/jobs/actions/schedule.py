"""Work that comes round: each planned time is enqueued once, however many workers look."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import structlog
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from apps.jobs.actions.enqueue import put
from apps.jobs.handlers import Rows, handlers, timetables
from apps.jobs.models import Job, JobState, Schedule, ScheduleRun
from placet.kernel.clock import database_now
from placet.kernel.faults import crash_point
from placet.kernel.subqueries import finding

log = structlog.get_logger(__name__)
KEEP_RUNS = timedelta(hours=1)  # finished runs of schedules, and planned times
KEEP_FAILURES = timedelta(days=1)  # failed runs of schedules
KEEP_JOBS = timedelta(days=30)
RUN_ANYWAY = timedelta(minutes=10)  # since its last run, whether or not there is anything to do

# The newest of a schedule's runs is asked for its job: one that failed is to be made good, so that
# the alert about it ends.
DUE = """
SELECT s.name, coalesce((
  SELECT j.state IN ('queued', 'running', 'succeeded') FROM jobs_schedulerun r
  LEFT JOIN jobs_job j ON j.id = r.job
  WHERE r.schedule_id = s.name
    AND r.planned_time > statement_timestamp() - make_interval(secs => %s)
  ORDER BY r.planned_time DESC LIMIT 1
), false)
FROM jobs_schedule s
WHERE s.name = ANY(%s) AND s.next_at <= statement_timestamp()
  AND coalesce(s.queue = ANY(%s::text[]), true)
"""
MOVE_ON = """
UPDATE jobs_schedule SET next_at = next_at + make_interval(secs => every_seconds
  * (1 + floor(extract(epoch FROM statement_timestamp() - next_at) / every_seconds)::int))
WHERE name = ANY(%s) AND next_at <= statement_timestamp()
"""


def ensure_schedules() -> None:
    """Make the row of every schedule that this process knows, and bring its interval up to date."""
    for plan in timetables().values():
        fields = {"kind": plan.name, "queue": plan.queue, "every_seconds": plan.every_seconds}
        known = Schedule.objects.filter(pk=plan.name)
        if not known.exists():
            Schedule.objects.bulk_create(
                [Schedule(name=plan.name, next_at=database_now(), **fields)], ignore_conflicts=True
            )
        elif not known.filter(**fields).exists():
            known.update(**fields)


def plan_due(queues: Sequence[str] | None = None) -> int:
    """Enqueue every schedule of ``queues`` whose time has come and that may have something to do;
    return how many were. Of the others it was looked whether they have: their time has passed."""
    due = _due(queues)
    idle = _idle([name for name, ran_well in due if ran_well])
    if idle:
        _move_on(idle)
    busy = [name for name, _ in due if name not in idle]
    return _plan(busy) if busy else 0


def _due(queues: Sequence[str] | None) -> list[tuple[str, bool]]:
    """Return the schedules whose time has come, and whether each ran lately and did not fail."""
    with connection.cursor() as cursor:
        asked = None if queues is None else list(queues)
        cursor.execute(DUE, [RUN_ANYWAY.total_seconds(), list(timetables()), asked])
        found: list[tuple[str, bool]] = cursor.fetchall()
    return found


def _idle(names: Sequence[str]) -> set[str]:
    """Return those of these schedules that have nothing to do, with one query for all of them.

    What cannot be asked is no reason to leave work undone: its job says what is wrong.
    """
    rows: dict[str, Rows] = {}
    for name in names:
        try:
            if (when := timetables()[name].when) is not None:
                rows[name] = when()
        except Exception:
            log.exception("nobody_knows_what_is_due", schedule=name)
    try:
        found = finding(rows.values()) if rows else []
    except Exception:
        log.exception("nobody_knows_what_is_due", schedules=sorted(rows))
        return set()
    return {name for name, busy in zip(rows, found, strict=True) if not busy}


def _plan(names: Sequence[str]) -> int:
    """Enqueue these schedules, of which another worker may have taken some meanwhile."""
    with transaction.atomic():
        asked = Schedule.objects.select_for_update(skip_locked=True, no_key=True)
        due = list(asked.filter(pk__in=names, next_at__lte=Now()).order_by("name"))
        planned = _enqueue(due) if due else 0
        _move_on([schedule.pk for schedule in due])
        if planned:
            crash_point("jobs.before_planned")
    if planned:
        crash_point("jobs.after_planned")
    return planned


def _move_on(names: Iterable[str]) -> None:
    """Have each of these come round at its next time that is still to come."""
    with connection.cursor() as cursor:
        cursor.execute(MOVE_ON, [list(names)])


def _enqueue(due: Sequence[Schedule]) -> int:
    """Enqueue the planned times that nobody enqueued already; return how many were left.

    No bell is rung: who plans looks for due jobs right afterwards.
    """
    times = {schedule.next_at for schedule in due}
    known = ScheduleRun.objects.filter(schedule__in=due, planned_time__in=times)
    taken = set(known.values_list("schedule", "planned_time"))
    runs = []
    for schedule in due:
        if (schedule.pk, schedule.next_at) not in taken:
            at = schedule.next_at
            job = put(Job(kind=schedule.kind, queue=schedule.queue, key=schedule.name, due_at=at))
            runs.append(ScheduleRun(schedule=schedule, planned_time=at, job=job.pk))
    ScheduleRun.objects.bulk_create(runs)
    return len(runs)


def tidy() -> int:
    """Remove old planned times and jobs that ended long ago; return how many rows went.

    Arguments that are data go too, of jobs that were cancelled before they ran: who cancels may not
    know the handler.
    """
    now = database_now()
    runs, _ = ScheduleRun.objects.filter(planned_time__lt=now - KEEP_RUNS).delete()
    ended = Job.objects.exclude(state__in=[JobState.QUEUED, JobState.RUNNING])
    data = [kind for kind, handler in handlers().items() if not handler.keeps_args]
    ended.filter(kind__in=data).exclude(args={}).update(args={})
    routine = Q(kind__in=list(timetables()))
    good = routine & ~Q(state=JobState.FAILED) & Q(finished_at__lt=now - KEEP_RUNS)
    failed = routine & Q(finished_at__lt=now - KEEP_FAILURES)
    jobs, _ = ended.filter(good | failed | Q(finished_at__lt=now - KEEP_JOBS)).delete()
    return runs + jobs
