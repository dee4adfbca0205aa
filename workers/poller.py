"""The part of a worker that needs no broker: it looks for due jobs in PostgreSQL by itself."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import structlog
from celery import bootsteps
from django.db import close_old_connections, connections

from apps.jobs.actions import plan_due, run_due
from apps.jobs.actions.lease import count_ready, outlook
from apps.jobs.actions.schedule import ensure_schedules
from placet.kernel.clock import now, rfc3339
from placet.kernel.config import config
from placet.kernel.faults import crash_point

POLL_SECONDS = 1.0
log = structlog.get_logger(__name__)
_wake = threading.Event()


def wake() -> None:
    """Make this process look again soon: a job that just ended may have put work off."""
    _wake.set()


def alive_file(queue: str) -> Path:
    """Return the file that a worker of ``queue`` rewrites after each successful look."""
    return config().data_dir / "run" / f"worker-{queue}.json"


class Poller(bootsteps.StartStopStep):
    """A worker's bootstep: a thread that hands due jobs to the pool itself, not to the broker.

    It never claims: a pool thread claims at the moment it is free, so no lease waits in a queue.
    At most as many of its calls are in the pool as the pool has threads.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.in_pool = 0

    def start(self, worker: Any) -> None:
        """Start looking."""
        self.pool, self.capacity = worker.pool, int(worker.concurrency or 1)
        self.queues = sorted(worker.app.amqp.queues.consume_from)
        self.thread = threading.Thread(target=self.look_for_ever, name="job-poller", daemon=True)
        self.thread.start()

    def stop(self, worker: Any) -> None:
        """Stop looking; jobs that run go on until the pool is stopped."""
        self.stopping.set()
        wake()

    def terminate(self, worker: Any) -> None:
        """Stop looking, in a hurry or not."""
        self.stop(worker)

    def look_for_ever(self) -> None:
        """Look, sleep until the next job is due (a second at most), and look again."""
        known = False
        while not self.stopping.is_set():
            pause = POLL_SECONDS
            try:
                if not known:
                    ensure_schedules()
                    known = True
                pause = self.look()
                self.mark_alive()
            except Exception:  # the database may be away for a while
                log.exception("poll_failed")
                connections.close_all()  # otherwise it is kept: a new one costs more than a look
            _wake.wait(pause)
            _wake.clear()
        connections.close_all()

    def look(self) -> float:
        """Plan schedules, hand due jobs to free threads; return how long nothing will be due."""
        seen = outlook(self.queues)
        planned = plan_due(self.queues) if seen.schedules else 0
        if seen.jobs or planned:
            self.hand_out()
        return POLL_SECONDS if seen.seconds is None else min(POLL_SECONDS, max(0.05, seen.seconds))

    def hand_out(self) -> None:
        """Have free threads run what is ready."""
        with self.lock:
            free = self.capacity - self.in_pool
            ready = count_ready(self.queues, free) if free > 0 else 0
            self.in_pool += ready
        for _ in range(ready):
            self.pool.apply_async(self.work, callback=_ignore)

    def work(self) -> None:
        """On a pool thread: claim and run due jobs until there is none.

        Its connection to the database is kept for the next time, and looked at first: to open one
        takes longer than most jobs.
        """
        try:
            close_old_connections()
            while not self.stopping.is_set() and run_due(self.queues):
                close_old_connections()
                wake()
        except Exception:
            log.exception("work_failed")
            connections.close_all()
        finally:
            with self.lock:
                self.in_pool -= 1

    def mark_alive(self) -> None:
        """Leave the time of this look where a supervisor and a health check find it."""
        text = json.dumps({"pid": os.getpid(), "at": rfc3339(now())})
        for queue in self.queues:
            path = alive_file(queue)
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.{os.getpid()}")
            draft.write_text(text)
            crash_point("jobs.before_alive_rename")
            draft.replace(path)
            crash_point("jobs.after_alive_rename")


def _ignore(result: object) -> None:
    """The pool insists on a callback."""
