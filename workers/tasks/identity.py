"""Identity's share of the work."""

from typing import Any

from apps.identity.actions import forget_device_logins
from apps.identity.actions.idempotency import expire
from apps.identity.sign_in.session_store import SessionStore
from apps.identity.sign_in.shared_cache import forget_expired
from apps.jobs.handlers import LeasedJob, every


@every(seconds=600, name="identity.forget_expired", queue="control")
def forget_counts(job: LeasedJob) -> dict[str, Any]:
    """Remove what sign-in no longer counts, logins of devices that nobody confirmed in time, and
    sessions that are over: each holds the address that somebody signed in by."""
    SessionStore.clear_expired()
    return {"removed": forget_expired(), "device_logins": forget_device_logins()}


@every(seconds=3600, name="identity.expire_idempotency", queue="control")
def expire_idempotency(job: LeasedJob) -> dict[str, Any]:
    """Remove idempotency records older than a day."""
    return {"removed": expire()}
