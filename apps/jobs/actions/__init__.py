"""Writing job rows: enqueue, cancel, claim and run, and schedules."""

from apps.jobs.actions.enqueue import cancel, enqueue
from apps.jobs.actions.restoring import settle_restored
from apps.jobs.actions.run import run_due, run_one
from apps.jobs.actions.schedule import plan_due, tidy

__all__ = ["cancel", "enqueue", "plan_due", "run_due", "run_one", "settle_restored", "tidy"]
