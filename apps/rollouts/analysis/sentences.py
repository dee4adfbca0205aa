"""Verdicts in words."""

import math
from collections.abc import Sequence

from apps.rollouts.analysis.findings import Counted, MetricFinding

EARLY = 20  # fewer requests of the candidate give no rate that a forecast could rest on


def of(findings: Sequence[MetricFinding], said: Sequence[str] = ()) -> str:
    """Return a sentence or two for each finding, and what was ``said`` besides, nothing twice."""
    return " ".join(dict.fromkeys([*(sentence(finding) for finding in findings), *said]))


def few(requests: int, least: int) -> str:
    """Say that the candidate has not answered enough yet."""
    needed = max(least, 1)
    return f"The new revision has answered {requests:,} of at least {many(needed, 'requests')}."


def sentence(finding: MetricFinding) -> str:
    """Say what was counted, and what it shows."""
    return f"{_counted(finding)} {_shown(finding)}".strip()


def split(candidate: int, stable: int, share: float, counted: Counted) -> str:
    """Say that the sample ratio is off."""
    whole = candidate + stable
    return (
        f"{percent(candidate / whole)} of {many(whole, counted)} went to the new revision, "
        f"{percent(share)} were planned: its figures cannot be compared"
    )


def _counted(finding: MetricFinding) -> str:
    candidate, stable, bad = finding.candidate, finding.stable, finding.metric.bad
    if candidate.rate is None:
        return "No request of the new revision was counted yet."
    text = f"{percent(candidate.rate)} of {many(candidate.trials, finding.counted)} {bad}"
    if stable is not None:
        compared = percent(stable.rate) if stable.rate is not None else "nothing"
        text += f", {compared} of {stable.trials:,.0f} on stable"
    return f"{text}."


def _shown(finding: MetricFinding) -> str:
    metric, bounds = finding.metric, finding.interval
    if metric.sought:
        return _effect(finding)
    more = "more" if metric.answer else "worse"
    allowed = f"{points(metric.limit)} allowed" if metric.limit else "nothing is allowed"
    if metric.at_most is not None:
        allowed = f"{percent(metric.limit)} allowed"
    match finding.score.outcome:
        case "failed" if metric.against_stable:
            return f"That is {more} by at least {points(bounds.low)}; {allowed}."
        case "failed":
            return f"The true share is at least {percent(bounds.low)}; {allowed}."
        case "successful" if metric.at_most is not None:
            return f"The true share is at most {percent(bounds.high)}; {allowed}."
        case "successful" if metric.proves_success:
            return f"It is {more} by at most {points(bounds.high)}; {allowed}."
        case "successful":
            return f"Nothing shows it to be {more}; it may be by up to {points(bounds.high)}."
    return _missing(finding)


def _effect(finding: MetricFinding) -> str:
    """Say how large the effect that is sought is: less of what is bad, in points."""
    low, high, least = -finding.interval.high, -finding.interval.low, -finding.metric.margin
    match finding.score.outcome:
        case "successful":
            return f"That is better by at least {points(low)}; {points(least)} sought."
        case "failed" if high < 0:
            return f"That is worse by at least {points(-high)}; {points(least)} less sought."
        case "failed":
            return f"It is better by at most {points(high)}; {points(least)} sought."
    return _missing(finding)


def _missing(finding: MetricFinding) -> str:
    more, seconds = finding.more_requests, finding.more_seconds
    if not finding.candidate.trials:
        return ""
    answer, tallies = finding.metric.answer, [t for t in (finding.candidate, finding.stable) if t]
    if answer and not any(map(answer.seen, tallies)):
        return "Neither revision gave it: that shows nothing."
    if finding.candidate.trials < EARLY:
        return "Too early to tell."
    if more is None:
        return f"Not settled, and more {finding.counted} like these would not settle it."
    time = ""
    if seconds is not None:
        time = f" ({finding.per_second:.3g}/s of the new revision: {duration(seconds)})"
    missing = many(more, f"more {finding.counted}")
    return f"Not settled: about {missing} would do at this rate{time}."


def many(count: float, of: str) -> str:
    """Write a count and what it is of: ``1 request``, ``2,000 requests``."""
    number = f"{count:,.0f}"
    return f"{number} {of.removesuffix('s') if number == '1' else of}"


def percent(share: float) -> str:
    """Write a share with three digits: ``0.123%``."""
    return f"{share * 100:.3g}%"


def points(difference: float) -> str:
    """Write a difference of shares: ``0.5 points``."""
    number = f"{max(difference, 0.0) * 100:.3g}"
    return f"{number} point" if number == "1" else f"{number} points"


def duration(seconds: float) -> str:
    """Write how long something takes, roughly."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if seconds < 5400:
        return f"{math.ceil(seconds / 60)} min"
    return f"{seconds / 3600:,.0f} h"
