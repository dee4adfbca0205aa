"""What a rollout's revisions answered at its present weights, and from when to when that goes.

Nodes count in windows, which end at whole multiples of their length and come when they are over.
Only those count that lie wholly within the step: others hold requests of other weights too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apps.monitoring.queries import WholeWindows, whole
from apps.monitoring.rules import WindowCounts
from apps.rollouts.models import Rollout
from apps.rollouts.series import WINDOW, gave_back, weights_began
from apps.rollouts.traffic import SETTLED
from placet.kernel.clock import now

LATE = timedelta(seconds=1)  # after its due end, at which a busy node may have ended a window
LENGTH = timedelta(seconds=WINDOW)
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class StepCounts:
    """What each revision answered from ``since`` to ``until``, where that is some time."""

    counts: Mapping[str, WindowCounts]
    since: datetime
    until: datetime
    is_over: bool = False  # whether the step is, and no later request counts
    awaited: datetime | None = None  # when the first window is over, while that is to come
    too_short: bool = False  # whether no whole window lies in the step, which is over

    @property
    def something(self) -> bool:
        """Whether there is a time of which counts are known."""
        return self.since < self.until


@dataclass(frozen=True, slots=True)
class StepTime:
    """When the present weights began, and ended if they did."""

    began: datetime
    ended: datetime | None

    @property
    def first(self) -> datetime:
        """When the first whole window begins."""
        return EPOCH - (EPOCH - self.began) // LENGTH * LENGTH

    def known(self, found: WholeWindows, at: datetime, *, heard: bool) -> StepCounts:
        """Return what was ``found`` with the time that it goes over ``at`` an instant.

        That goes as far as windows came, or to when all must have come that there are: a node that
        is not ``heard`` may have more of them. A window without requests never comes.
        """
        settled = at - timedelta(seconds=SETTLED)
        last = self.ended - LATE if self.ended else None
        ends = [_second(found.last)] if found.last else []
        if heard or last:
            ends.append(_window_end(min(last, settled) if last else settled))
        since = min(self.first, _second(found.first)) if found.first else self.first
        until, due = max([since, *ends]), self.first + LENGTH
        return StepCounts(
            found.counts,
            since,
            until,
            is_over=last is not None,
            awaited=due if last is None and at < due else None,
            too_short=last is not None and last < due and since == until,
        )


def counts_of_step(row: Rollout, *, heard: bool) -> StepCounts:
    """Return what the revisions of a rollout answered at its present weights, with one query."""
    time = step_time(row)
    ids = [pk for pk in (row.to_revision_id, row.from_revision_id) if pk]
    return time.known(whole(ids, time.began, time.ended), now(), heard=heard)


def step_time(row: Rollout) -> StepTime:
    """Return when a rollout's present weights began, and ended if they did."""
    ends = [at for at in (gave_back(row), row.finished_at) if at]
    return StepTime(weights_began(row), min(ends, default=None))


def _window_end(at: datetime) -> datetime:
    """Return the last end of a window until then."""
    return EPOCH + (at - EPOCH) // LENGTH * LENGTH


def _second(at: datetime) -> datetime:
    """Return the nearest whole second: nodes begin and end windows some milliseconds late."""
    return (at + timedelta(milliseconds=500)).replace(microsecond=0)
