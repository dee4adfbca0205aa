"""Work that comes round: each planned time is enqueued once, however many workers look."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from apps.jobs.actions.enqueue import put
from apps.jobs.handlers import handlers, timetables
from apps.jobs.models import Job, JobState, Schedule, ScheduleRun
from placet.kernel.clock import database_now
from placet.kernel.faults import crash_point

KEEP_RUNS = timedelta(hours=1)  # finished runs of schedules, and planned times
KEEP_FAILURES = timedelta(days=1)  # failed runs of schedules
KEEP_JOBS = timedelta(days=30)


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
    """Enqueue every schedule of ``queues`` whose time has come; return how many were."""
    where = Q(name__in=list(timetables()))
    if queues is not None:
        where &= Q(queue__in=queues)
    with transaction.atomic():
        now = database_now()
        asked = Schedule.objects.select_for_update(skip_locked=True, no_key=True)
        due = list(asked.filter(where, next_at__lte=now).order_by("name"))
        planned = _plan(due) if due else 0
        for schedule in due:
            step = timedelta(seconds=schedule.every_seconds)
            missed = (now - schedule.next_at) // step
            schedule.next_at += step * (missed + 1)
        Schedule.objects.bulk_update(due, ["next_at"])
        if planned:
            crash_point("jobs.before_planned")
    if planned:
        crash_point("jobs.after_planned")
    return planned


def _plan(due: Sequence[Schedule]) -> int:
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
