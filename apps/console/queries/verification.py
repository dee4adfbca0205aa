"""Up to where the log was verified as it grew, and its newest check as a whole."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, F, Value, When

from apps.audit.queries import LogStanding
from apps.console.queries.page_parts import Sign, counted
from apps.console.templatetags.placet import number
from apps.jobs.models import Job, JobState
from placet.kernel.actor import Actor
from placet.kernel.problems import NeedsPermission


@dataclass(frozen=True, slots=True)
class LogVerification:
    """Up to where the log is verified, and what the last check of it as a whole that came to its
    end found: a fault stands until a later one finds none. Whether one waits or runs, and whether
    the last broke off, is said beside it."""

    standing: LogStanding
    asked: bool  # whether there was a check of the whole log
    open: bool
    broke_off: bool
    intact: bool
    size: int
    root: str
    seconds: float
    fault: str
    error: str
    started_size: int
    at: datetime | None

    @property
    def wrong(self) -> str:
        """What either of them found wrong."""
        return self.fault or self.standing.fault

    @property
    def unchecked(self) -> int:
        """How many events nobody has checked yet."""
        return max(self.standing.size - self.upto, 0)

    @property
    def upto(self) -> int:
        """Up to which event all are checked: as they came, or together."""
        whole = self.size if self.intact else 0
        return max(self.standing.verified, whole)

    @property
    def since(self) -> datetime | None:
        """When that was found."""
        whole = self.intact and self.size > self.standing.verified
        return self.at if whole else self.standing.verified_at

    @property
    def sign(self) -> Sign:
        """How far it is verified, in a sentence; green where that is to its end."""
        said = f"The first {number(self.upto)} of {number(self.standing.size)} events verified"
        if self.wrong:
            return Sign("fail", "✕", said, wrap=True)
        if self.unchecked:
            return Sign("wait", "◷", f"{said}; {number(self.unchecked)} pending", wrap=True)
        return Sign("pass", "✓", said, wrap=True)

    @property
    def whole(self) -> str:
        """How far the full check went: which events it read."""
        if not self.size:
            return "no event"
        last = f"event #{number(self.size - 1)}"
        return f"{number(self.size)} of {counted(self.standing.size, 'event')}, up to {last}"

    @property
    def newer(self) -> str:
        """What of the events since then the continuous check has read; '' where there are none."""
        newer = max(self.standing.size - self.size, 0)
        checked = min(max(self.standing.verified - self.size, 0), newer)
        if not newer:
            return ""
        if not checked:
            return f"{number(newer)} since, by neither check yet"
        rest = f", {number(newer - checked)} by neither yet" if newer > checked else ""
        return f"{number(newer)} since: {number(checked)} by the continuous check alone{rest}"

    @property
    def basis(self) -> str:
        """From what it went on."""
        if not self.started_size:
            return "the beginning"
        return f"checkpoint at {number(self.started_size)}"


def newest_check(actor: Actor, standing: LogStanding) -> LogVerification:
    """Return how the log stands and its newest check; its answer names no event's content."""
    if not actor.can_somewhere("audit.view"):
        raise NeedsPermission(actor, "audit.view", scope=None)
    open_one, finished, broken = map(_newest().get, (OPEN, FINISHED, BROKEN))
    result = (finished.result if finished else None) or {}
    return LogVerification(
        standing=standing,
        asked=bool(open_one or finished or broken),
        open=open_one is not None,
        broke_off=broken is not None and (finished is None or _end(broken) > _end(finished)),
        intact=finished is not None and not result.get("fault"),
        size=result.get("size", 0),
        root=result.get("root", ""),
        seconds=result.get("seconds", 0.0),
        fault=result.get("fault", ""),
        error=_why(broken) if broken else "",
        started_size=result.get("started_size", 0),
        at=finished.finished_at if finished else None,
    )


OPEN, FINISHED, BROKEN = "open", "finished", "broken"
GROUP = Case(
    When(state__in=(JobState.QUEUED, JobState.RUNNING), then=Value(OPEN)),
    When(state=JobState.SUCCEEDED, result__isnull=False, then=Value(FINISHED)),
    default=Value(BROKEN),
)


def _newest() -> dict[str, Job]:
    """Return the newest check that is open, that came to its end and that did not, by that: no
    number of later ones hides what a check found."""
    jobs = Job.objects.filter(kind="audit.verify").annotate(group=GROUP)
    latest = F("finished_at").desc(nulls_last=True)
    rows = jobs.order_by("group", latest, "-created_at").distinct("group")
    return {row.group: row for row in rows}


def _end(job: Job) -> datetime:
    return job.finished_at or job.created_at


def _why(broken: Job) -> str:
    return broken.error or ("Cancelled" if broken.state == JobState.CANCELLED else "")
