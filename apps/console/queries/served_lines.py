"""When each revision of an endpoint served lately: a line of time for each, as the log has it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from apps.assurance.periods import Period
from apps.assurance.queries.as_of import RevisionHistory, deployments
from apps.console.charts import Timespans, share_words, timespans
from apps.console.queries.deployments import HISTORY, serves
from apps.serving.models import Endpoint
from apps.serving.queries import EndpointStatus
from placet.kernel.clock import now

SHOWN = 20  # revisions, the newest


@dataclass(frozen=True, slots=True)
class ServedPeriod:
    """A revision had the same share all the time."""

    period: Period

    @property
    def share(self) -> str:
        """Its share of the requests, in words."""
        return share_words(self.period.share)


@dataclass(frozen=True, slots=True)
class ServedLine:
    """When one revision served, between two instants."""

    row: RevisionHistory
    since: datetime
    until: datetime

    @property
    def number(self) -> int:
        """Which revision it is."""
        return self.row.number

    @property
    def version(self) -> str:
        """The version, as people call it; '' where the log does not name it."""
        approved = self.row.approved
        return f"{approved.model}:{approved.version}" if approved.model else ""

    @property
    def spans(self) -> Timespans:
        """Its line; which revision it is stands beside it."""
        line = timespans([self.row], self.since, self.until)
        return Timespans(tuple(replace(span, label="") for span in line.spans))

    @property
    def has_gaps(self) -> bool:
        """Whether it had no share of the requests for a time, and then one again."""
        served = [period for period in self.row.periods if period.share.weight]
        return any(one.end and one.end.at < then.begin.at for one, then in pairwise(served))

    @property
    def periods(self) -> list[ServedPeriod]:
        """The same as a list, the newest first."""
        return [ServedPeriod(period) for period in reversed(self.row.periods)]


@dataclass(frozen=True, slots=True)
class ServedLines:
    """The lines of all revisions, the newest first, on one scale."""

    rows: Sequence[ServedLine]
    since: datetime
    until: datetime
    serves: str  # where a share goes on: whether anything answers

    @property
    def gapped(self) -> set[int]:
        """The revisions that did not serve all the time from their first request to their last."""
        return {row.number for row in self.rows if row.has_gaps}


def served_lines(endpoint: Endpoint, status: EndpointStatus) -> ServedLines:
    """Return when each revision of ``endpoint`` served in the last 30 days: no scale is longer
    than it has anything to show. Whoever calls has found the endpoint visible, and how it is."""
    until = now()
    since = until - HISTORY
    found = deployments([endpoint], until, since=since)
    history = sorted(found[0].history if found else [], key=lambda row: -row.number)[:SHOWN]
    begins = [period.begin.at for row in history for period in row.periods]
    since = max(since, min(begins, default=since))
    rows = [ServedLine(row, since, until) for row in history]
    return ServedLines(rows, since, until, serves(status))
