"""The newest check of the whole log that somebody asked for on the page."""

from dataclasses import dataclass
from datetime import datetime

from apps.console.templatetags.placet import number
from apps.jobs.models import Job, JobState
from placet.kernel.actor import Actor
from placet.kernel.problems import Forbidden


@dataclass(frozen=True, slots=True)
class LogVerification:
    """How the newest check stands: it waits, it runs, it said yes or no, or it broke off."""

    open: bool
    intact: bool
    size: int
    root: str
    seconds: float
    fault: str
    error: str
    started_size: int
    at: datetime | None

    @property
    def basis(self) -> str:
        """From what it went on."""
        if not self.started_size:
            return "no kept checkpoint"
        return f"kept checkpoint of {number(self.started_size)}"


def newest_check(actor: Actor) -> LogVerification | None:
    """Return the newest check, ``None`` before the first; its answer names no event's content."""
    if not actor.can_somewhere("audit.view"):
        raise Forbidden("This needs the permission audit.view")
    job = Job.objects.filter(kind="audit.verify").order_by("-created_at").first()
    if job is None:
        return None
    result = job.result or {}
    return LogVerification(
        open=job.state in (JobState.QUEUED, JobState.RUNNING),
        intact=job.state == JobState.SUCCEEDED and not result.get("fault"),
        size=result.get("size", 0),
        root=result.get("root", ""),
        seconds=result.get("seconds", 0.0),
        fault=result.get("fault", ""),
        error=job.error,
        started_size=result.get("started_size", 0),
        at=job.finished_at,
    )
