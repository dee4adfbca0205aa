"""The doorbell, and the jobs app's own housekeeping."""

from apps.jobs import actions
from apps.jobs.handlers import LeasedJob, every
from placet.kernel.broker import app
from workers import poller


@app.task(name="jobs.look")
def look(job_id: str) -> None:
    """Look at one job. An id that is unknown, forged or rung twice is harmless."""
    if isinstance(job_id, str) and len(job_id) <= 40:
        actions.run_one(job_id)
        poller.wake()


@every(seconds=600, name="jobs.tidy")
def tidy(job: LeasedJob) -> dict[str, int]:
    """Remove old planned times and jobs that ended long ago."""
    return {"removed": actions.tidy()}
