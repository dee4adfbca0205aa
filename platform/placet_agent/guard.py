"""When a node takes the requests back from a revision by itself. Pure; standard library only.

The rules came with the signed state: they count while the rollout is held, waits for a person or
may not be started, and while the platform is away. They are the brake, not the judge: what is a
little worse than stable is what an analysis of the platform finds.

What counts is what clients got because the split led them here. Copies and testers do not: nobody
gets the answer of a copy, and who sends a tester's header asked for what may fail. Nor does what
stable answered. A client that left is no failure; one that left after more than the latency that is
allowed had waited for so long.
"""

from collections import deque
from dataclasses import dataclass, field

from placet_protocol.guard import ErrorRate, Guard, GuardRule, Latency

STRUCK_SECONDS = 10.0  # so long a row of failures counts after it was full


@dataclass(frozen=True)
class Trip:
    """A rule that is broken, and how, in a sentence without its full stop."""

    rule: GuardRule
    detail: str


@dataclass
class Second:
    """What one revision answered within one second."""

    at: int
    answers: int = 0
    failed: int = 0
    timed: int = 0
    slow: int = 0


@dataclass
class GuardMemory:
    """What a guard remembers of one revision."""

    seconds: deque[Second] = field(default_factory=deque)
    row: int = 0  # server errors since the last answer that was none
    struck: float | None = None  # when a row was as long as it may not be


def count(guard: Guard, seen: GuardMemory, now: float, status: int, milliseconds: int) -> bool:
    """Remember one answer (``status`` 0: the client left); tell whether it filled a row."""
    failed, left = status >= 500, status < 100
    slow = guard.latency is not None and milliseconds > guard.latency.at_most_ms
    second = _second(guard, seen, int(now))
    second.timed += not left or slow
    second.slow += slow
    if left:
        return False
    second.answers += 1
    second.failed += failed
    seen.row = seen.row + 1 if failed else 0
    if not guard.consecutive_failures or seen.row < guard.consecutive_failures:
        return False
    seen.struck = now
    return True


def _second(guard: Guard, seen: GuardMemory, at: int) -> Second:
    if not seen.seconds or seen.seconds[-1].at < at:
        seen.seconds.append(Second(at))
        while seen.seconds[0].at <= at - guard.longest - 1:
            seen.seconds.popleft()
    return seen.seconds[-1]


def judge(guard: Guard, seen: GuardMemory, now: float) -> Trip | None:
    """Return the rule that is broken now, if one is."""
    if seen.struck is not None and now - seen.struck <= STRUCK_SECONDS:
        detail = f"{guard.consecutive_failures} answers in a row were server errors"
        return Trip("consecutive_failures", detail)
    return _error_rate(guard.error_rate, seen, now) or _latency(guard.latency, seen, now)


def _error_rate(rule: ErrorRate | None, seen: GuardMemory, now: float) -> Trip | None:
    if rule is None:
        return None
    seconds = _within(seen, now, rule.window_seconds)
    answers, failed = sum(s.answers for s in seconds), sum(s.failed for s in seconds)
    if answers < rule.minimum_requests or failed <= rule.at_most * answers:
        return None
    return Trip(
        "error_rate",
        f"{100 * failed / answers:.3g}% of {answers:,} answers in {rule.window_seconds} s were "
        f"server errors, at most {100 * rule.at_most:g}% are allowed",
    )


def _latency(rule: Latency | None, seen: GuardMemory, now: float) -> Trip | None:
    if rule is None:
        return None
    seconds = _within(seen, now, rule.window_seconds)
    timed, slow = sum(s.timed for s in seconds), sum(s.slow for s in seconds)
    # a share like 1 - 0.95 is not exact: what lies on the edge is allowed
    if timed < rule.minimum_requests or slow <= (1 - rule.quantile) * timed + 1e-9:
        return None
    return Trip(
        "latency",
        f"{100 * slow / timed:.3g}% of {timed:,} answers in {rule.window_seconds} s took over "
        f"{rule.at_most_ms:,} ms, at most {100 * (1 - rule.quantile):.3g}% are allowed",
    )


def _within(seen: GuardMemory, now: float, seconds: int) -> list[Second]:
    """Return what lies within so many seconds; the one that has begun comes on top."""
    return [second for second in seen.seconds if second.at >= int(now) - seconds]
