"""When rollback drills come round, and what came of one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.rollouts.rules import DRILL_SECONDS
from apps.rollouts.states import RolloutState

LATE = timedelta(hours=1)  # a planned drill that begins later than this is skipped
OVERDUE = timedelta(seconds=60)  # with the requests moved for longer, people are told
FIGURES = timedelta(seconds=20)  # after its end: the node's last window and report are in
MAX_DAYS = 366


def first_time(hour: int, after: datetime) -> datetime:
    """Return when it is ``hour`` o'clock next, UTC."""
    today = after.replace(hour=hour, minute=0, second=0, microsecond=0)
    return today if today > after else today + timedelta(days=1)


def next_time(planned: datetime, every_days: int, at: datetime) -> datetime:
    """Return the first of the planned times after ``planned`` that lies ahead of ``at``."""
    step = timedelta(days=every_days)
    missed = max(at - planned, timedelta(0)) // step
    return planned + step * (missed + 1)


@dataclass(frozen=True, slots=True)
class DrillResult:
    """How the rollout of a drill went. ``None`` for what did not happen, or is not known."""

    state: str  # done, aborted, failed
    reason: str
    seconds: float | None
    return_seconds: float | None
    answers: int
    errors: int  # of the former revision
    failed_requests: int | None


def lasted(times: Mapping[str, str], finished_at: datetime) -> tuple[float | None, float | None]:
    """Return how long the way there took and the way back, by when the states were entered."""
    entered = {name: datetime.fromisoformat(text) for name, text in times.items()}
    went, arrived = entered.get(RolloutState.SHIFTING), entered.get(RolloutState.RETURNING)
    back = arrived or entered.get(RolloutState.ABORTING)
    there = (arrived - went).total_seconds() if went and arrived else None
    returned = (finished_at - back).total_seconds() if went and back else None
    return there, returned


def fault(ended: DrillResult) -> str:
    """Return why a drill failed, in words; '' when it passed."""
    if ended.state != RolloutState.DONE:
        return ended.reason
    if (ended.seconds or 0) > DRILL_SECONDS:
        return f"The way back to the former revision took {ended.seconds:.1f} s"
    if (ended.return_seconds or 0) > DRILL_SECONDS:
        return f"The live revision had its requests again only after {ended.return_seconds:.1f} s"
    if ended.errors:
        return (
            f"{ended.errors} of {ended.answers} answers of the former revision were server errors"
        )
    return ""
