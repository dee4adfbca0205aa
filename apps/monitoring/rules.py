"""Counting requests, and holding the counts against what was agreed. Pure."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from placet_protocol.report import BROKEN_PHASES, COHORTS, LATENCY_BOUNDS_MS, READY_PHASES

# Percentiles of fewer requests mean little, and are shown only where something is judged by them:
# the p99 of one request is that request.
FEWEST = 20

# Requests that no split decided on: nothing of them is compared with what was drawn.
APART = COHORTS

RECALL_WITHDRAWN = "That recall was withdrawn"  # behind what an alert says of a recall


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """The requests of some stretch of time. ``latency`` counts per upper bound in milliseconds."""

    status_2xx: int = 0
    status_4xx: int = 0
    status_5xx: int = 0
    seconds: float = 0.0
    latency: Mapping[str, int] = field(default_factory=dict)
    units: int = 0  # drawn in a split by unit, each counted once for each weight
    # Requests that no split decided on, by cohort: ``no_unit`` is contained in the other figures,
    # ``overridden`` and ``mirrored`` are not, because no client of the endpoint sent them.
    apart: Mapping[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return self.status_2xx + self.status_4xx + self.status_5xx

    @property
    def error_rate(self) -> float | None:
        """The share of 5xx answers; ``None`` without requests, which is not the same as none."""
        return self.status_5xx / self.requests if self.requests else None

    @property
    def rejected_rate(self) -> float | None:
        """The share of 4xx answers; ``None`` without requests."""
        return self.status_4xx / self.requests if self.requests else None

    def percentile(self, share: float) -> float | None:
        """Return the latency in milliseconds that ``share`` of the requests stayed below.

        Within a bucket requests are taken as evenly spread. What lies in the open-ended bucket
        is only known to be above the last bound, which is then the answer. ``None`` without
        requests.
        """
        buckets = sorted((bound(name), count) for name, count in self.latency.items())
        total = sum(count for _, count in buckets)
        if not total:
            return None
        wanted, seen, lower = share * total, 0, 0.0
        for upper, count in buckets:
            if count and seen + count >= wanted:
                if math.isinf(upper):
                    return lower
                return lower + (upper - lower) * max(0.0, wanted - seen) / count
            seen += count
            lower = lower if math.isinf(upper) else upper
        return lower

    def edge(self, share: float) -> float | None:
        """Return the lowest bound that ``share`` of the requests certainly stayed within.

        Unlike :meth:`percentile` it guesses nothing: it is the upper edge of the bucket, ``inf``
        for the open-ended one. ``None`` without requests.
        """
        total, seen = sum(self.latency.values()), 0
        for upper, count in sorted((bound(name), count) for name, count in self.latency.items()):
            seen += count
            if total and seen >= share * total:
                return upper
        return None

    def within(self, milliseconds: float) -> float | None:
        """Return the share of requests that certainly took ``milliseconds`` at most."""
        total = sum(self.latency.values())
        if not total:
            return None
        return sum(n for name, n in self.latency.items() if bound(name) <= milliseconds) / total


def bound(name: str) -> float:
    """Read the upper bound of a bucket."""
    return math.inf if name == "inf" else float(name)


def valid_latency(latency: Mapping[str, int]) -> bool:
    """Tell whether every bucket has a bound that is a number or ``inf``."""
    try:
        return all(bound(name) > 0 and count >= 0 for name, count in latency.items())
    except ValueError:
        return False


def total(parts: Iterable[WindowCounts]) -> WindowCounts:
    """Return the sum of ``parts``."""
    two = four = five = units = 0
    seconds, latency, apart = 0.0, Counter[str](), Counter[str]()
    for part in parts:
        two, four, five = two + part.status_2xx, four + part.status_4xx, five + part.status_5xx
        seconds += part.seconds
        units += part.units
        latency.update(part.latency)
        apart.update(part.apart)
    return WindowCounts(two, four, five, seconds, latency, units, apart)


# The bounds of the histogram that nodes keep: at these, and only at these, a share is exact.
BOUNDS_MS = LATENCY_BOUNDS_MS
MAX_WINDOW_MINUTES = 360

ObjectiveStanding = Literal["met", "breached", "unknown"]


@dataclass(frozen=True, slots=True)
class ObjectiveTerms:
    """What an endpoint is held to.

    At least ``availability`` of the answers are no 5xx, and at least ``latency_quantile`` of them
    take ``latency_ms`` at most, over the last ``window_minutes`` with ``min_requests`` in them.
    """

    availability: float | None = None
    latency_ms: int | None = None
    latency_quantile: float = 0.99
    window_minutes: int = 15
    min_requests: int = 100
    expect_traffic: bool = False  # fewer requests are an alert of their own
    roll_back: bool = False

    def faults(self) -> dict[str, str]:
        """Return what is wrong, by field: what to write there instead."""
        faults = {}
        if self.availability is None and self.latency_ms is None:
            faults["availability"] = "Set an availability, a latency, or both"
        if self.availability is not None and not 0.5 <= self.availability <= 1:
            faults["availability"] = "A share from 0.5 to 1, such as 0.999"
        if self.latency_ms is not None and self.latency_ms not in BOUNDS_MS:
            faults["latency_ms"] = "One of " + ", ".join(str(bound) for bound in BOUNDS_MS)
        if not 0.5 <= self.latency_quantile <= 0.999:
            faults["latency_quantile"] = "A share from 0.5 to 0.999, such as 0.99"
        if not 1 <= self.window_minutes <= MAX_WINDOW_MINUTES:
            faults["window_minutes"] = f"From 1 to {MAX_WINDOW_MINUTES} minutes"
        if not 1 <= self.min_requests <= 1_000_000:
            faults["min_requests"] = "From 1 to 1,000,000 requests"
        return faults


@dataclass(frozen=True, slots=True)
class ObjectiveStatus:
    """How an endpoint stands, and the figures beside what was agreed.

    ``latency_ms`` is the upper edge of the bucket that the quantile lies in: it took no longer
    (``inf``: longer than the last bound). ``cause`` is '' when met.
    """

    standing: ObjectiveStanding
    cause: Literal["", "breach", "few", "gaps", "silent"]
    reason: str
    requests: int
    availability: float | None
    latency_ms: float | None
    trusted: bool


def judge(
    terms: ObjectiveTerms, counts: WindowCounts, *, trusted: bool, alive: bool
) -> ObjectiveStatus:
    """Hold ``counts`` against ``terms``. What is not known is never met.

    ``trusted`` is false when a node said that requests are missing in its counts; ``alive`` when
    it has reported lately.
    """
    edge = counts.edge(terms.latency_quantile)
    good = counts.requests - counts.status_5xx
    available = good / counts.requests if counts.requests else None

    def verdict(standing: ObjectiveStanding, cause: Any, reason: str) -> ObjectiveStatus:
        return ObjectiveStatus(standing, cause, reason, counts.requests, available, edge, trusted)

    if counts.requests < terms.min_requests:
        return verdict(
            "unknown",
            "few",
            f"{counts.requests} of {_requests(terms.min_requests)} in "
            f"{terms.window_minutes} min: too few to judge",
        )
    if broken := _breaches(terms, counts, available, edge):
        return verdict("breached", "breach", "; ".join(broken))
    if terms.latency_ms is not None and edge is None:
        return verdict("unknown", "gaps", "No latency was measured")
    if not trusted:
        return verdict("unknown", "gaps", "The node says that requests are missing in its counts")
    if not alive:
        return verdict("unknown", "silent", "The node is silent: newer requests are not counted")
    return verdict("met", "", "")


def ending(terms: ObjectiveTerms, verdict: ObjectiveStatus) -> str:
    """Say what was measured as an alert about an objective ended.

    Of how many requests: what was wrong may only have become too old to count.
    """
    if verdict.standing == "unknown":
        return f"Resolved without being measured: {verdict.reason}."
    counted = _requests(verdict.requests)
    left = f"only {counted} left to measure" if verdict.requests < FEWEST else counted
    return f"Resolved with {left} in the last {terms.window_minutes} min."


def _breaches(
    terms: ObjectiveTerms, counts: WindowCounts, available: float | None, edge: float | None
) -> list[str]:
    breaches, over = [], f"of {_requests(counts.requests)} in {terms.window_minutes} min"
    if terms.availability is not None and (available or 0) < terms.availability:
        breaches.append(
            f"{_percent(available or 0)} {over} were answered without a server error, "
            f"at least {_percent(terms.availability)} agreed"
        )
    within = counts.within(terms.latency_ms) if terms.latency_ms is not None else None
    if within is not None and within < terms.latency_quantile and edge is not None:
        took = f"more than {BOUNDS_MS[-1]} ms" if math.isinf(edge) else f"up to {edge:g} ms"
        breaches.append(
            f"p{terms.latency_quantile * 100:g} {over} is {took}, "
            f"at most {terms.latency_ms} ms agreed"
        )
    return breaches


def _requests(count: int) -> str:
    return f"{count} request{'' if count == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{math.floor(share * 1e5) / 1e3:g}%"  # 99.9996% is not 100%


GRACE_SECONDS = 60  # a restart is over by then


def replicas_fault(row: Mapping[str, Any] | None, wanted: int, at: datetime) -> str | None:
    """Return what is wrong with the replicas that a node reported in ``row``: '' when nothing is.

    ``None`` means too early to tell: the node says nothing of them yet, or they are starting.
    """
    if row is None:
        return None
    phase, ready, detail = str(row["phase"]), int(row["ready_replicas"]), str(row["detail"])
    suffix = f": {detail}" if detail else ""
    if phase in BROKEN_PHASES:
        return f"The node says {phase}{suffix}"
    if phase == "asleep" or (phase in READY_PHASES and ready >= wanted):
        return ""
    if at - datetime.fromisoformat(row["since"]) < timedelta(seconds=GRACE_SECONDS):
        return None
    return f"{ready} of {wanted} replicas answer; the node says {phase}{suffix}"


def unreached_fault(why: str, since: datetime, at: datetime) -> str | None:
    """Return that nobody reaches replicas, whether or not they answer; ``None`` while it may be
    that what stands before them is only started anew."""
    if at - since < timedelta(seconds=GRACE_SECONDS):
        return None
    return f"nobody can reach it: {why}"


def node_fault(errors: Iterable[Mapping[str, str]], since: Mapping[str, str], at: datetime) -> str:
    """Return what of a node's ``errors`` is worth an alert, '' when nothing is.

    What was in every report for ``GRACE_SECONDS``, by the times in ``since``; and at once what
    nobody reports, but the platform cannot tell the node to serve. One code may come with several
    sentences, of which the first is said.
    """
    first: dict[str, str] = {}
    for error in errors:
        begun = since.get(error["code"])
        if begun is None or at - datetime.fromisoformat(begun) >= timedelta(seconds=GRACE_SECONDS):
            first.setdefault(error["code"], error["detail"])
    return "; ".join(f"{code}: {detail}" for code, detail in first.items())


def draw_of(name: str, prediction: UUID) -> float:
    """Return a number that lies evenly in [0, 1), the same for all time.

    A value on a scale from 0 to 1 is counted as bad when it lies above: bad with a probability of
    the value, so that the share of what is bad has the mean of the values as its expectation, and
    one test of shares judges them all. The first eight bytes of SHA-256(name, a colon, prediction
    id), big-endian, over 2**64.
    """
    digest = hashlib.sha256(f"{name}:{prediction}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
