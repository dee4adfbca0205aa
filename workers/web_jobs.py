"""The thread of a web process that does what only web may do by the clock.

Requests are signed by a key that no worker may load. So each web process looks every few seconds
for jobs of a queue of its own, in PostgreSQL, as workers look for theirs; of many one claims it.
"""

import threading

import structlog
from django.db import OperationalError, connections

from apps.jobs.actions import plan_due, run_due
from apps.jobs.actions.lease import outlook
from apps.jobs.actions.schedule import ensure_schedules
from workers.web_tasks import QUEUE

LOOK_EVERY = 5.0  # seconds
log = structlog.get_logger(__name__)


def start() -> threading.Thread:
    """Start looking, until the process ends: a job that is cut off has a lease that runs out."""
    thread = threading.Thread(target=look_for_ever, name="web-jobs", daemon=True)
    thread.start()
    return thread


def look_for_ever(stopping: threading.Event | None = None) -> None:
    """Look, sleep, and look again."""
    stopping = stopping or threading.Event()
    known = False
    while not stopping.wait(LOOK_EVERY):
        try:
            if not known:
                ensure_schedules()
                known = True
            look()
        except OperationalError as error:  # the database is away: all of the process says so
            log.warning("web_jobs_wait", error=str(error).splitlines()[0])
        except Exception:
            log.exception("web_jobs_failed")
        finally:
            connections.close_all()  # a look is short, and connections are few


def look() -> None:
    """Plan what comes round, and do what is due."""
    seen = outlook([QUEUE])
    planned = plan_due([QUEUE]) if seen.schedules else 0
    if seen.jobs or planned:
        while run_due(QUEUE):
            pass
