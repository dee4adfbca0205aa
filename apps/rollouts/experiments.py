"""A/B tests: when one ends, and in which words. Pure.

A test holds its allocation until its declared stop rule decides::

    the effect is shown ──► waits to be shipped by a person ──► all requests
    it is shown to be smaller than declared ─┐
    a guardrail is broken, the split is off ─┼─► all requests back to stable
    so many requests, or so much time        ─┘

What guards the test is watched until it is shipped. What cannot be judged ends nothing before the
time is over: it is neither an effect nor harm.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.governance.plan import AbTest, Ship
from apps.rollouts.analysis import DecidingVerdict

APPROVAL = "an approver to ship it"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a test: it ``ends`` because of ``words``, or waits for them, or goes on."""

    words: str = ""
    ends: bool = False


def ruling(
    step: AbTest | Ship, judged: DecidingVerdict | None, *, since: datetime, now: datetime
) -> Ruling:
    """Return what the stop rule says to the last look at a test that began at ``since``."""
    if judged is not None and judged.outcome == "failed":
        return Ruling(f"The A/B test ended. {judged.sentence}", ends=True)
    if isinstance(step, Ship):
        return Ruling(APPROVAL)
    if judged is not None and judged.outcome == "successful":
        return Ruling()
    sentence = judged.sentence if judged is not None else "Nobody looked at what was measured yet"
    if judged is not None and judged.outcome == "error":
        if now >= since + timedelta(seconds=step.stop_after.seconds):
            return Ruling(f"The A/B test could not be judged in time. {sentence}", ends=True)
        return Ruling(f"figures that can be judged. {sentence.rstrip('.')}")
    if over := _enough(step, judged, now - since):
        return Ruling(f"Not enough evidence {over}. {sentence}", ends=True)
    return Ruling(f"evidence. {sentence.rstrip('.')}")


def _enough(step: AbTest, judged: DecidingVerdict | None, passed: timedelta) -> str:
    """Return which end of the stop rule is reached, in words; '' for none."""
    if judged is not None and judged.candidate_requests >= step.stop_after.requests:
        return f"after {judged.candidate_requests:,} of {step.stop_after.requests:,} planned"
    if passed >= timedelta(seconds=step.stop_after.seconds):
        return "in the time that was planned"
    return ""
