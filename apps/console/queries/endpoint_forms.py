"""What an endpoint is held to, its drills, and the forms of each."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from apps.console.queries.page_parts import Sign, counted
from apps.console.templatetags.placet import number, rate
from apps.monitoring.models import Objective
from apps.monitoring.rules import BOUNDS_MS, FEWEST, ObjectiveStatus
from apps.rollouts.models import DrillSchedule

STANDINGS = {
    "": Sign("pass", "✓", "Met"),
    "breach": Sign("fail", "▲", "Not met"),
    "few": Sign("wait", "?", "Too few requests"),
    "gaps": Sign("wait", "?", "Counts incomplete"),
    "silent": Sign("wait", "?", "Node silent"),
}


@dataclass(frozen=True, slots=True)
class Held:
    """One line of what an endpoint is held to, with what was measured where that is known."""

    label: str
    agreed: str
    measured: str = ""


def held_to(row: Objective, verdict: ObjectiveStatus | None, owner: str) -> Iterator[Held]:
    """Yield what was agreed; ``owner`` is the name of who is told."""
    if row.availability is not None:
        seen = verdict.availability if verdict else None
        measured = "" if seen is None else rate(seen)
        yield Held("Without server error", f"at least {rate(row.availability)}", measured)
    if row.latency_ms:
        measured = quantile_of(verdict) if verdict else ""
        label = quantile(row.latency_quantile)
        yield Held(label, f"at most {number(row.latency_ms)} ms", measured)
    requests = f", {counted(verdict.requests, 'request')}" if verdict else ""
    yield Held("Over", f"{row.window_minutes} min{requests}")
    yield Held("Judged", f"from {counted(row.min_requests, 'request')}")
    yield Held("Notify", owner if row.owner else "the operators")
    yield Held("A breach", "rolls back, once" if row.roll_back else "opens an alert")


def figures_now(row: Objective, verdict: ObjectiveStatus | None) -> str:
    """Say what is measured now, each figure beside what was agreed; '' where nothing is judged."""
    if verdict is None:
        return ""
    if not verdict.requests:
        held = ", ".join(agreed(row))
        return f"no requests in the last {row.window_minutes} min ({held} agreed)."
    parts = []
    if row.availability is not None and verdict.availability is not None:
        seen, least = rate(verdict.availability), rate(row.availability)
        parts.append(f"{seen} without server error (at least {least} agreed)")
    if row.latency_ms and (took := quantile_of(verdict)):
        most = number(row.latency_ms)
        parts.append(f"{quantile(row.latency_quantile)} {took} (at most {most} ms agreed)")
    few = ", too few to judge" if verdict.cause == "few" else ""
    over = f"{counted(verdict.requests, 'request')} in {row.window_minutes} min{few}"
    return f"{', '.join([*parts, over])}."


def agreed(row: Objective) -> Iterator[str]:
    """Yield what answers are held to."""
    if row.availability is not None:
        yield f"at least {rate(row.availability)} without server error"
    if row.latency_ms:
        yield f"{quantile(row.latency_quantile)} at most {number(row.latency_ms)} ms"


def standing(verdict: ObjectiveStatus) -> Sign:
    """Return whether an objective is met, or else what is missing to say so."""
    if verdict.cause == "few" and not verdict.requests:
        return Sign("wait", "?", "No requests")
    return STANDINGS[verdict.cause]


def unjudged(verdict: ObjectiveStatus | None) -> str:
    """Say why it is not known whether an objective is met; '' where it is."""
    if verdict is None:
        return "Nothing is live that could be judged."
    return f"{verdict.reason}." if verdict.standing == "unknown" else ""


@dataclass(frozen=True, slots=True)
class ObjectiveForm:
    """The fields of what is agreed, as they are filled in."""

    row: Objective | None

    @property
    def generation(self) -> str:
        """Which one the form was made from, '' for none."""
        return str(self.row.generation) if self.row else ""

    @property
    def availability(self) -> str:
        """The least share of answers without server error, in percent."""
        share = self.row.availability if self.row else None
        return "" if share is None else in_percent(share)

    @property
    def quantile(self) -> str:
        """The share of the answers that the latency holds for, in percent."""
        return in_percent(self.row.latency_quantile) if self.row else "99"

    @property
    def latency(self) -> float | None:
        """The longest that an answer may take, in milliseconds."""
        return self.row.latency_ms if self.row else None

    @property
    def latencies(self) -> list[tuple[float, str]]:
        """The latencies that can be agreed."""
        return [(ms, f"{number(ms)} ms") for ms in BOUNDS_MS]

    @property
    def window_minutes(self) -> int:
        """Over how long it is judged."""
        return self.row.window_minutes if self.row else 15

    @property
    def min_requests(self) -> int:
        """With how many requests at least."""
        return self.row.min_requests if self.row else 100


def comes_round(schedule: DrillSchedule) -> str:
    """Say how often drills come round."""
    days = schedule.every_days
    often = "day" if days == 1 else f"{days} days"
    return f"Every {often} at {schedule.hour:02d}:00 UTC"


@dataclass(frozen=True, slots=True)
class ScheduleForm:
    """The fields of when drills come round, as they are filled in."""

    row: DrillSchedule | None

    @property
    def generation(self) -> str:
        """Which one the form was made from, '' for none."""
        return str(self.row.generation) if self.row else ""

    @property
    def every_days(self) -> int:
        """Every so many days."""
        return self.row.every_days if self.row else 30

    @property
    def hour(self) -> int:
        """At which hour, UTC."""
        return self.row.hour if self.row else 3


def in_percent(share: float) -> str:
    """Return a share from 0 to 1 as a form field holds it in percent."""
    return f"{round(share * 100, 6):g}"


def quantile(share: float) -> str:
    """Name a quantile: ``p99``."""
    return f"p{share * 100:g}"


def quantile_of(verdict: ObjectiveStatus) -> str:
    """Show the latency that was measured; '' where none was. Of few requests it means nothing,
    but where an objective is judged by them it is shown by what."""
    if verdict.latency_ms is None:
        return ""
    unshown = verdict.cause == "few" and verdict.requests < FEWEST
    return "–" if unshown else edge(verdict.latency_ms)


def edge(milliseconds: float) -> str:
    """Show a latency that is known by the bucket it lies in."""
    return "> 10 s" if math.isinf(milliseconds) else f"≤ {number(milliseconds)} ms"
