"""Holding counts against what was agreed: what is not known is never met."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.monitoring.rules import BOUNDS_MS, ObjectiveTerms, WindowCounts, judge, replicas_fault
from placet_protocol.report import LATENCY_BOUNDS_MS

BOTH = ObjectiveTerms(availability=0.99, latency_ms=250, latency_quantile=0.95, min_requests=100)
AT = datetime(2026, 11, 25, 9, tzinfo=UTC)


def counts(good: int = 1000, bad: int = 0, **latency: int) -> WindowCounts:
    """So many answers; ``up_to_250=900`` counts latencies."""
    found = {name.removeprefix("up_to_"): n for name, n in latency.items()} or {"5": good + bad}
    return WindowCounts(status_2xx=good, status_5xx=bad, seconds=60, latency=found)


def standing(
    terms: ObjectiveTerms, seen: WindowCounts, *, trusted: bool = True, alive: bool = True
) -> str:
    return judge(terms, seen, trusted=trusted, alive=alive).standing


def test_the_bounds_are_those_that_nodes_count_by() -> None:
    assert BOUNDS_MS == LATENCY_BOUNDS_MS


def test_exactly_what_was_agreed_is_met_and_one_request_less_is_not() -> None:
    assert standing(BOTH, counts(990, 10)) == "met"
    assert standing(BOTH, counts(989, 11)) == "breached"
    assert standing(BOTH, counts(1000, up_to_250=950, up_to_500=50)) == "met"
    assert standing(BOTH, counts(1000, up_to_250=949, up_to_500=51)) == "breached"


def test_errors_of_clients_are_not_the_models() -> None:
    seen = WindowCounts(status_2xx=100, status_4xx=900, latency={"5": 1000})
    assert standing(BOTH, seen) == "met"


def test_a_request_counts_as_slow_as_its_bucket_may_hold() -> None:
    verdict = judge(BOTH, counts(1000, up_to_250=900, up_to_500=100), trusted=True, alive=True)
    assert verdict.latency_ms == 500
    assert verdict.reason == "p95 of 1000 requests in 15 min is up to 500 ms, at most 250 ms agreed"


def test_what_took_longer_than_the_last_bound_has_no_figure() -> None:
    verdict = judge(BOTH, counts(1000, inf=1000), trusted=True, alive=True)
    assert verdict.latency_ms is not None
    assert math.isinf(verdict.latency_ms)
    assert "more than 10000 ms" in verdict.reason


def test_almost_all_is_not_shown_as_all() -> None:
    terms = ObjectiveTerms(availability=1.0, min_requests=1)
    verdict = judge(terms, counts(2_999_999, 1), trusted=True, alive=True)
    assert verdict.reason.startswith("99.999% of 3000000 requests")


def test_both_breaches_are_named() -> None:
    verdict = judge(BOTH, counts(0, 500, up_to_10000=500), trusted=True, alive=True)
    assert "server error" in verdict.reason
    assert "p95" in verdict.reason


@pytest.mark.parametrize(
    ("seen", "trusted", "alive", "cause"),
    [
        (counts(0), True, True, "few"),
        (counts(99), True, True, "few"),
        (counts(1000), False, True, "gaps"),
        (counts(1000), True, False, "silent"),
        (WindowCounts(status_2xx=1000), True, True, "gaps"),
        (WindowCounts(status_2xx=1000, latency={"5": 0}), True, True, "gaps"),
    ],
)
def test_what_is_not_known_is_not_met(
    seen: WindowCounts, trusted: bool, alive: bool, cause: str
) -> None:
    verdict = judge(BOTH, seen, trusted=trusted, alive=alive)
    assert (verdict.standing, verdict.cause) == ("unknown", cause)
    assert verdict.reason


def test_a_breach_is_one_even_when_counts_are_missing_and_says_that_they_are() -> None:
    verdict = judge(BOTH, counts(0, 1000), trusted=False, alive=False)
    assert (verdict.standing, verdict.trusted) == ("breached", False)


@given(
    good=st.integers(0, 500),
    bad=st.integers(0, 500),
    latency=st.lists(st.integers(0, 200), min_size=12, max_size=12),
    trusted=st.booleans(),
    alive=st.booleans(),
)
def test_met_means_that_everything_is_known_and_good(
    good: int, bad: int, latency: list[int], trusted: bool, alive: bool
) -> None:
    names = [*(str(bound) for bound in BOUNDS_MS), "inf"]
    seen = WindowCounts(
        status_2xx=good, status_5xx=bad, latency=dict(zip(names, latency, strict=True))
    )
    verdict = judge(BOTH, seen, trusted=trusted, alive=alive)
    enough = good + bad >= 100
    healthy = enough and good >= 0.99 * (good + bad)
    fast = sum(latency) > 0 and sum(latency[:6]) >= 0.95 * sum(latency)
    assert (verdict.standing == "met") == (healthy and fast and trusted and alive)
    assert (verdict.standing == "breached") == (
        enough and not (healthy and (fast or not sum(latency)))
    )
    assert bool(verdict.reason) == (verdict.standing != "met")


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (ObjectiveTerms(), "availability"),
        (ObjectiveTerms(availability=0.2), "availability"),
        (ObjectiveTerms(availability=float("nan")), "availability"),
        (ObjectiveTerms(latency_ms=200), "latency_ms"),
        (ObjectiveTerms(latency_ms=250, latency_quantile=1.0), "latency_quantile"),
        (ObjectiveTerms(latency_ms=250, latency_quantile=float("nan")), "latency_quantile"),
        (ObjectiveTerms(latency_ms=250, window_minutes=0), "window_minutes"),
        (ObjectiveTerms(latency_ms=250, window_minutes=361), "window_minutes"),
        (ObjectiveTerms(latency_ms=250, min_requests=0), "min_requests"),
    ],
)
def test_terms_that_nobody_could_judge_are_refused_by_field(
    terms: ObjectiveTerms, field: str
) -> None:
    assert list(terms.faults()) == [field]


def test_good_terms_have_no_fault() -> None:
    assert BOTH.faults() == {}


def row(phase: str, ready: int = 1, ago: float = 600, detail: str = "") -> dict[str, object]:
    since = (AT - timedelta(seconds=ago)).isoformat()
    return {"phase": phase, "ready_replicas": ready, "detail": detail, "since": since}


@pytest.mark.parametrize(
    ("reported", "said"),
    [
        (row("serving", 2), ""),
        (row("ready", 2), ""),
        (None, None),
        (row("starting", 0, ago=5), None),
        (row("serving", 1, ago=5), None),
        (row("starting", 0), "0 of 2 replicas answer; the node says starting"),
        (row("serving", 1), "1 of 2 replicas answer; the node says serving"),
        (row("failed", 0, ago=1, detail="killed"), "The node says failed: killed"),
        (row("refused", 0, ago=1), "The node says refused"),
    ],
)
def test_replicas_are_well_when_all_answer_and_a_restart_is_given_a_minute(
    reported: dict[str, object] | None, said: str | None
) -> None:
    assert replicas_fault(reported, 2, AT) == said
