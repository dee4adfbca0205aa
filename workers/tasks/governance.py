"""Governance by the clock: releases expire, waiting ones come to pass, and reviews are due."""

from typing import Any

from apps.governance import actions
from apps.governance.actions import reviewing, sweeps
from apps.governance.queries import waiting
from apps.jobs.handlers import LeasedJob, every


@every(seconds=30, name="governance.expire", when=sweeps.anything_to_end)
def expire(job: LeasedJob) -> dict[str, Any]:
    """Expire what was not started in time, and end break-glasses."""
    try:
        expired = actions.expire_due()
    finally:  # what cannot be expired keeps no glass broken
        glasses = actions.end_break_glasses_due()
    return {"expired": expired, "break_glasses": glasses}


@every(seconds=30, name="governance.remind", when=reviewing.maybe_overdue)
def remind(job: LeasedJob) -> dict[str, Any]:
    """Tell of reviews that were asked for by name and are overdue."""
    return {"overdue": actions.tell_overdue()}


@every(seconds=2, name="governance.advance", when=waiting.to_advance)
def advance(job: LeasedJob) -> dict[str, Any]:
    """Approve what only waited for a gate that passes by itself, and start what was held up."""
    try:
        approved = actions.advance_waiting()
    finally:
        started = actions.start_waiting()
    return {"approved": approved, "started": started}
