"""The lease of a job: taken by one statement, kept by a heartbeat, ended by a fenced write."""

import json
import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import IntegrityError, connection, transaction

from apps.jobs.handlers import LeasedJob, handlers, timetables
from apps.jobs.models import Job, JobState
from placet.kernel.clock import database_now

HEARTBEAT_SECONDS = 5.0
LOCK = 0x616C6F6E  # any number that no other advisory lock has: one claims what is to run alone
log = structlog.get_logger(__name__)

# A lease that ran out is claimed again under the next generation. Work under a key waits while
# another job of that kind and key runs, and what is to run alone while any of that runs. Who asks
# for one of these by its id has the one whose turn it is: all that wait are rung for, in any order.
READY = """
  kind = ANY(%(kinds)s)
  AND (%(queues)s::text[] IS NULL OR queue = ANY(%(queues)s))
  AND (%(id)s::text IS NULL OR id = %(id)s OR (kind = ANY(%(alone)s) AND EXISTS (
    SELECT 1 FROM jobs_job n WHERE n.id = %(id)s AND n.kind = ANY(%(alone)s))))
  AND (
    (state = 'running' AND lease_until < clock_timestamp())
    OR (state = 'queued' AND due_at <= clock_timestamp() AND NOT EXISTS (
      SELECT 1 FROM jobs_job r
      WHERE r.state = 'running' AND r.kind = j.kind AND r.key = j.key AND r.key <> ''))
  )
  AND (kind <> ALL(%(alone)s) OR (%(may_be_alone)s AND NOT EXISTS (
    SELECT 1 FROM jobs_job r WHERE r.state = 'running' AND r.kind = ANY(%(alone)s)
    AND r.lease_until >= clock_timestamp())))
"""
# What its handler ranks lower comes first. Then only the time counts at which work is due, but that
# projects take turns: on a queue of long work whose work runs least comes first, then who has had
# none for longest; and of what runs alone, which is due with the first of it, who has had none of
# that for longest. What hangs there keeps the others for no longer than one of it.
FAIR = ("build",)
LAST_ALONE = """(SELECT f.finished_at FROM jobs_job f WHERE f.finished_at IS NOT NULL
    AND f.queue = j.queue AND f.kind = ANY(%(alone)s) AND f.project {}
    ORDER BY f.project DESC, f.finished_at DESC LIMIT 1)"""  # as jobs_last_of_project has them
TURN = f"""
  (%(ranks)s::jsonb ->> j.kind)::int,
  CASE WHEN j.queue = ANY(%(fair)s) THEN (SELECT count(*) FROM jobs_job r
    WHERE r.state = 'running' AND r.queue = j.queue AND r.project = j.project) ELSE 0 END,
  CASE WHEN j.queue = ANY(%(fair)s) THEN (SELECT max(f.finished_at) FROM jobs_job f
    WHERE f.finished_at IS NOT NULL AND f.queue = j.queue AND f.project = j.project)
    END NULLS FIRST,
  CASE WHEN j.kind = ANY(%(alone)s) THEN least(j.due_at, (SELECT min(a.due_at) FROM jobs_job a
    WHERE a.state = 'queued' AND a.queue = j.queue AND a.kind = ANY(%(alone)s)))
    ELSE j.due_at END,
  CASE WHEN j.kind <> ALL(%(alone)s) THEN NULL
    WHEN j.project IS NULL THEN {LAST_ALONE.format("IS NULL")}
    ELSE {LAST_ALONE.format("= j.project")} END NULLS FIRST
"""  # noqa: S608  (LAST_ALONE is the constant above)
CLAIM = f"""
UPDATE jobs_job SET
  state = 'running', generation = generation + 1, attempts = attempts + 1,
  losses = losses + (state = 'running')::int, lease_owner = %(owner)s,
  lease_until = clock_timestamp() + make_interval(secs => (%(leases)s::jsonb ->> kind)::float)
WHERE id = (
  SELECT id FROM jobs_job j WHERE {READY} ORDER BY {TURN}, due_at, id LIMIT 1
  FOR UPDATE SKIP LOCKED
) RETURNING id
"""  # noqa: S608  (READY and TURN are the constants above)
COUNT = f"SELECT count(*) FROM (SELECT 1 FROM jobs_job j WHERE {READY} LIMIT %(limit)s) ready"  # noqa: S608
OUTLOOK = """
SELECT EXISTS (SELECT 1 FROM jobs_schedule
    WHERE name = ANY(%(names)s) AND queue = ANY(%(queues)s) AND next_at <= statement_timestamp()),
  EXISTS (SELECT 1 FROM jobs_job WHERE queue = ANY(%(queues)s) AND (
    (state = 'queued' AND due_at <= statement_timestamp())
    OR (state = 'running' AND lease_until < statement_timestamp()))),
  (SELECT extract(epoch FROM min(due_at) - statement_timestamp()) FROM jobs_job
    WHERE state = 'queued' AND queue = ANY(%(queues)s) AND due_at > statement_timestamp())
"""
BEAT = """
UPDATE jobs_job SET lease_until = clock_timestamp() + make_interval(secs => %s)
WHERE id = %s AND generation = %s AND state = 'running' RETURNING cancel_requested
"""


def _parameters(queues: Sequence[str] | None, job_id: str | None) -> dict[str, Any]:
    known = handlers()
    return {
        "kinds": list(known),
        "queues": None if queues is None else list(queues),
        "id": job_id,
        "fair": list(FAIR),
        "alone": [kind for kind, h in known.items() if h.alone],
        "may_be_alone": True,
        "owner": f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"[:120],
        "ranks": json.dumps({kind: h.rank for kind, h in known.items()}),
        "leases": json.dumps({kind: h.lease_seconds for kind, h in known.items()}),
    }


def count_ready(queues: Sequence[str] | None, limit: int) -> int:
    """Return how many jobs may be claimed now, at most ``limit``."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {**_parameters(queues, None), "limit": limit})
        row = cursor.fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What there is for who looks: schedules whose time has come, jobs that may be ready, and how
    many seconds it is until the next waiting job is due, if one waits."""

    schedules: bool
    jobs: bool
    seconds: float | None


def outlook(queues: Sequence[str]) -> Outlook:
    """Return what there is at ``queues``, with one cheap query: mostly there is nothing.

    A job that is due already but may not be claimed now (its key runs) does not count as next.
    """
    with connection.cursor() as cursor:
        cursor.execute(OUTLOOK, {"queues": list(queues), "names": list(timetables())})
        schedules, jobs, seconds = cursor.fetchone()
    return Outlook(schedules, jobs, None if seconds is None else float(seconds))


def claim(queues: Sequence[str] | None = None, *, job_id: str | None = None) -> Job | None:
    """Take the lease of the job whose turn it is, or of ``job_id``; ``None`` if none is due. For
    ``job_id`` of what runs alone it is the one of these whose turn it is.

    Of those who claim at the same moment one may take what is to run alone: the others would not
    see it yet.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        (first,) = cursor.fetchone()
        cursor.execute(CLAIM, {**_parameters(queues, job_id), "may_be_alone": first})
        row = cursor.fetchone()
    return Job.objects.get(pk=row[0]) if row else None


class Heartbeat:
    """Prolongs a lease every few seconds by the database's clock, from a thread of its own.

    The thread has its own connection, opened at the first beat, so that a handler in the middle
    of a transaction is not disturbed and a short job costs nothing.
    """

    def __init__(self, job: LeasedJob) -> None:
        self.job = job
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"beat-{job.id}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        """Start beating."""
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop; a beat that is under way is waited for."""
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._stop.wait(min(HEARTBEAT_SECONDS, self.job.lease_seconds / 4)):
                try:
                    self._prolong()
                except Exception as error:  # the next beat tries again; the lease lasts longer
                    log.warning("heartbeat_failed", job=self.job.id, error=str(error))
                    connection.close()
        finally:
            connection.close()

    def _prolong(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(BEAT, [self.job.lease_seconds, self.job.id, self.job.generation])
            row = cursor.fetchone()
        self.job.note(lost=row is None, cancelled=bool(row and row[0]))


def end(job: LeasedJob, state: JobState, *, error: str = "", result: Any = None) -> bool:
    """Write the final ``state``; ``False`` when the lease was lost and nothing was written."""
    spec = handlers().get(job.kind)
    gone: dict[str, Any] = {} if spec is None or spec.keeps_args else {"args": {}}
    return _write(job, state=state, error=error, result=result, finished_at=database_now(), **gone)


def requeue(job: LeasedJob, *, error: str, after: float, counts: bool) -> bool:
    """Put the job back to wait ``after`` seconds; ``False`` when the lease was lost.

    When work under the same key waits already, that job takes over and this one ends.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE jobs_job SET state = 'queued', error = %s, lease_until = NULL,"
                " attempts = attempts - %s,"
                " due_at = clock_timestamp() + make_interval(secs => %s)"
                " WHERE id = %s AND generation = %s AND state = 'running'",
                [error, 0 if counts else 1, after, job.id, job.generation],
            )
            return bool(cursor.rowcount == 1)
    except IntegrityError:
        return end(job, JobState.CANCELLED, error=f"{error} (a newer job of this key takes over)")


def _write(job: LeasedJob, **fields: Any) -> bool:
    mine = Job.objects.filter(pk=job.id, generation=job.generation, state=JobState.RUNNING)
    return mine.update(lease_until=None, **fields) == 1
