"""What work there is: handlers and schedules by name, and the lease a handler runs under.

A handler is registered in ``workers/tasks/<area>.py``::

    @handler("builds.run", queue="build", max_attempts=1)
    def run(job: LeasedJob) -> dict[str, Any] | None: ...

    @every(seconds=5, name="rollouts.sweep", queue="control", when=queries.with_deadlines)
    def sweep(job: LeasedJob) -> None: ...
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from apps.jobs.models import Job, JobState

JobResult = dict[str, Any] | None
JobHandler = Callable[["LeasedJob"], JobResult]
OnFailed = Callable[["LeasedJob", str], None]
Rows = Sequence[QuerySet[Any, Any]]

# Whose turn it is: of what is due at a queue the lowest rank is claimed first.
FIRST, USUAL, LAST = 0, 1, 2

LOOK_EVERY = 0.5  # seconds between two looks at the row by ``cancelled()``


class Retry(Exception):
    """Raised by a handler: not now, try again ``after`` seconds (back-off when ``None``).

    With ``counts=False`` the attempt is not counted, so that waiting never exhausts the attempts.
    """

    def __init__(self, why: str, *, after: float | None = None, counts: bool = True) -> None:
        super().__init__(why)
        self.why, self.after, self.counts = why, after, counts


class Cancelled(Exception):
    """Raised by a handler that stopped because ``job.cancelled()``."""


class LeaseLost(Exception):
    """Somebody else holds this job now; nothing this worker still writes may count."""


@dataclass(slots=True)
class LeasedJob:
    """A claimed job, as its handler sees it.

    ``attempt`` counts from 1. ``args`` are the JSON values given to ``enqueue``.
    """

    id: str
    kind: str
    args: dict[str, Any]
    project: str | None
    generation: int
    attempt: int
    max_attempts: int
    request_id: str = ""
    lease_seconds: float = 20
    _lost: Flag = field(default_factory=Flag, repr=False)
    _cancelled: Flag = field(default_factory=Flag, repr=False)
    _looked: float = field(default=0.0, repr=False)

    @property
    def last_attempt(self) -> bool:
        """Tell whether an error now ends the job for good."""
        return self.attempt >= self.max_attempts

    def fence(self) -> None:
        """Hold the lease until the end of the current transaction, or raise :class:`LeaseLost`.

        Call it first in every transaction that writes. Nobody can claim the job while its row is
        locked, so what is committed here was written by the one holder.
        """
        if not connection.in_atomic_block:
            raise RuntimeError("fence() guards a transaction: call it inside one")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM jobs_job WHERE id = %s AND generation = %s AND state = 'running'"
                " FOR UPDATE",
                [self.id, self.generation],
            )
            if cursor.fetchone() is None:
                self._lost.set()
                raise LeaseLost(self.id)

    def cancelled(self) -> bool:
        """Tell whether to stop: somebody asked for it, or the lease is lost. Cheap."""
        if self._lost.is_set() or self._cancelled.is_set():
            return True
        if time.monotonic() - self._looked < LOOK_EVERY:
            return False
        self._looked = time.monotonic()
        row = Job.objects.filter(pk=self.id, generation=self.generation, state=JobState.RUNNING)
        cancel_requested = row.values_list("cancel_requested", flat=True).first()
        self.note(lost=cancel_requested is None, cancelled=bool(cancel_requested))
        return cancel_requested is None or cancel_requested

    def note(self, *, lost: bool, cancelled: bool) -> None:
        """Remember what a look at the row said (called by the heartbeat)."""
        if lost:
            self._lost.set()
        if cancelled:
            self._cancelled.set()


@dataclass(frozen=True, slots=True)
class Handler:
    """How jobs of one kind are run."""

    kind: str
    queue: str
    max_attempts: int
    lease_seconds: float
    run: JobHandler
    on_failed: OnFailed | None
    rank: int = USUAL
    keeps_args: bool = True
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Timetable:
    """A kind of work that comes round by itself."""

    name: str
    queue: str
    every_seconds: int
    when: Callable[[], Rows] | None = None


_HANDLERS: dict[str, Handler] = {}
_TIMETABLES: dict[str, Timetable] = {}


def handler(
    kind: str,
    *,
    queue: str = "control",
    max_attempts: int = 5,
    lease_seconds: float = 20,
    on_failed: OnFailed | None = None,
    rank: int = USUAL,
    keeps_args: bool = True,
    alone: bool = False,
) -> Callable[[JobHandler], JobHandler]:
    """Register the decorated function as the handler of ``kind``.

    An exception is retried with back-off until ``max_attempts`` were made; a worker that died
    does not use up an attempt, but five deaths end the job. ``on_failed(job, error)`` is called
    in the transaction that ends the job as failed, whatever the reason.

    ``rank`` is :data:`FIRST` for what takes something back. Without ``keeps_args`` a job that ended
    has its arguments no longer: for those that are data, not ids. They go as it ends, and where it
    was cancelled while it waited, within ten minutes.

    Of all kinds that are ``alone`` one job runs at a time: for those that wait for hosts which
    somebody of a project chooses, and would take every thread from the rest.
    """

    def register(run: JobHandler) -> JobHandler:
        if kind in _HANDLERS and _HANDLERS[kind].run.__qualname__ != run.__qualname__:
            raise ValueError(f"job kind {kind} has two handlers")
        _HANDLERS[kind] = Handler(
            kind, queue, max_attempts, lease_seconds, run, on_failed, rank, keeps_args, alone
        )
        return run

    return register


def every(
    *, seconds: int, name: str, queue: str = "control", when: Callable[[], Rows] | None = None
) -> Callable[[JobHandler], JobHandler]:
    """Register the decorated function as a handler that is enqueued every ``seconds``.

    At most one run of a schedule waits and at most one runs; times missed are not made up for.

    ``when`` returns queries, and where none of them finds a row there is nothing to do: that time
    costs no job. They may find something where there is nothing, but must not miss what there is.
    Whatever they find, a run that failed is followed by another, and there is one in ten minutes.
    """

    def register(run: JobHandler) -> JobHandler:
        handler(name, queue=queue, max_attempts=1)(run)
        _TIMETABLES[name] = Timetable(name, queue, seconds, when)
        return run

    return register


def handlers() -> dict[str, Handler]:
    """Return every handler by kind."""
    return dict(_HANDLERS)


def timetables() -> dict[str, Timetable]:
    """Return every schedule by name."""
    return dict(_TIMETABLES)
