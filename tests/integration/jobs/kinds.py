"""A few kinds of work for the workers of these tests."""

import os
import time
from pathlib import Path

from apps.audit.actions import record
from apps.audit.events import event_kind
from apps.identity.models import Project
from apps.jobs.actions import enqueue
from apps.jobs.handlers import LeasedJob, handler
from placet.kernel.actor import SYSTEM
from placet.kernel.faults import crash_point

MADE = event_kind("test.worker_made", "Made a project")


def make_project(job: LeasedJob) -> None:
    """The one write of these jobs, fenced."""
    with record(SYSTEM) as log:
        job.fence()
        row = Project.objects.create(slug=job.args["slug"], name=str(os.getpid()))
        log.add(MADE, row)


@handler("t.make", lease_seconds=2)
def make(job: LeasedJob) -> dict[str, int]:
    """Make a project; a test may kill the process before or after the commit."""
    crash_point("test.before_write")
    if not Project.objects.filter(slug=job.args["slug"]).exists():
        make_project(job)
    crash_point("test.after_write")
    return {"pid": os.getpid()}


@handler("t.wait", lease_seconds=2)
def wait(job: LeasedJob) -> None:
    """Wait until the test lets it go on, then write."""
    folder = Path(job.args["folder"])
    (folder / f"started-{job.generation}").touch()
    while not (folder / "go").exists():
        time.sleep(0.02)
    make_project(job)


@handler("t.chain")
def chain(job: LeasedJob) -> None:
    """Enqueue another job from the worker."""
    enqueue("t.make", slug=job.args["slug"])
