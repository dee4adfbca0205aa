"""What a Prometheus says, held to a bound for a time."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.governance.plan import PrometheusMetric
from apps.rollouts.analysis import (
    AnalysisTerms,
    JudgedMetric,
    StepMeasurements,
    Threshold,
    asked_of,
    judge,
)
from apps.rollouts.analysis.readings import Reading, ReadingPoint, reading
from apps.rollouts.analysis.stored_verdict import keep
from apps.rollouts.analysis.verdicts import AnalysisVerdict
from tests.unit.rollouts.test_analysis import window

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
REFUNDS = Threshold("refunds", 2.0, "at_most", for_seconds=60)
NAN = math.nan


def points(*values: float | None, step: int = 6) -> list[ReadingPoint]:
    """Return values a step apart, the last one now; ``None`` leaves one out."""
    ends = NOON.timestamp()
    placed = enumerate(reversed(values))
    return [ReadingPoint(ends - n * step, v) for n, v in placed if v is not None][::-1]


def read(*values: float | None, since: int = 3600, asked: Threshold = REFUNDS) -> Reading:
    """Return what follows of a step that began so many seconds ago."""
    began = NOON - timedelta(seconds=since)
    return reading(asked, points(*values, step=asked.step), since=began, now=NOON)


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([1.0] * 11, "successful"),
        ([2.0] * 11, "successful"),
        ([9.0] * 11, "failed"),
        ([9.0] * 10, "error"),
        ([9.0] * 11 + [1.0] * 11, "failed"),
        ([9.0] * 10 + [1.0] * 11, "successful"),
        ([1.0] * 10 + [9.0], "inconclusive"),
        ([9.0] + [1.0] * 10, "inconclusive"),
        ([9.0] + [1.0] * 11, "successful"),
        ([9.0] * 5 + [None] + [9.0] * 5, "error"),
        ([9.0] * 10 + [None] + [9.0] * 10, "error"),
        ([1.0] * 10 + [None], "error"),
        ([1.0] * 5 + [None] + [1.0] * 5, "error"),
        ([1.0] * 10 + [NAN], "error"),
        ([1.0] * 10 + [math.inf], "error"),
        ([1.0] * 10 + [-math.inf], "error"),
        ([NAN] + [1.0] * 11, "successful"),
        ([NAN] + [9.0] * 11, "failed"),
        ([], "error"),
    ],
)
def test_it_is_kept_broken_or_not_known(values: list[float | None], outcome: str) -> None:
    assert read(*values).outcome == outcome


def test_before_its_time_has_passed_nothing_is_shown() -> None:
    assert read(*[1.0] * 10, since=59).outcome == "inconclusive"
    assert read(since=59).outcome == "inconclusive"
    assert read(*[1.0] * 11, since=60).outcome == "successful"


def test_a_least_is_the_other_side() -> None:
    least = Threshold("approvals", 2.0, "at_least", for_seconds=10)
    assert least.step == 1
    assert read(*[2.0] * 11, asked=least).outcome == "successful"
    found = read(*[1.5] * 11, asked=least)
    assert found.outcome == "failed"
    assert found.sentence == ("approvals is 1.5; at least 2 allowed. It was not so for 10 s.")


def test_a_plan_reads_back_as_it_was_written() -> None:
    document: dict[str, Any] = {
        "metric": "prometheus",
        "query": "up",
        "at_least": 1,
        "for_seconds": 30,
    }
    asked = PrometheusMetric(**document)
    assert asked.document == document
    assert asked_of(asked) == Threshold("up", 1, "at_least", 30)
    assert asked_of(asked).asked == "up at least 1 for 30 s"


def verdict(
    *found: Reading, metrics: tuple[JudgedMetric, ...] = (), count: int = 500
) -> AnalysisVerdict:
    """Judge readings beside requests of which none failed."""
    windows = [window(count=count)], [window("old", count)]
    measured = StepMeasurements(
        "new", "old", *windows, NOON - timedelta(minutes=1), NOON, node_alive=True, readings=found
    )
    return judge(AnalysisTerms(metrics, 0.5, 0.01, 100), measured)


class TestBesideOtherMetrics:
    @pytest.mark.parametrize(
        ("values", "outcome"),
        [
            ([1.0] * 11, "successful"),
            ([9.0] * 11, "failed"),
            ([], "error"),
            ([1.0] * 10 + [9.0], "inconclusive"),
        ],
    )
    def test_the_worst_counts(self, values: list[float], outcome: str) -> None:
        found = read(*values)
        assert verdict(found).outcome == outcome
        assert verdict(read(*[1.0] * 11), found).outcome == outcome
        enough = JudgedMetric("error_rate", margin=0.1)
        assert verdict(found, metrics=(enough,)).outcome == outcome
        assert found.sentence in verdict(found).sentence

    def test_it_does_not_hide_what_is_not_shown(self) -> None:
        fine = read(*[1.0] * 11)
        assert verdict(fine, metrics=(JudgedMetric("error_rate", margin=0.001),)).outcome == (
            "inconclusive"
        )
        few = verdict(fine, count=99)
        assert few.outcome == "inconclusive"
        assert few.sentence == "The new revision has answered 99 of at least 100 requests."

    def test_a_guard_of_an_ab_test_need_not_be_shown_to_hold(self) -> None:
        effect = JudgedMetric("latency", milliseconds=50).seeking(0.2)
        slow = [window("old", 900, latency={"100": 900, "250": 0, "inf": 0})]
        fast = [window(count=900, latency={"50": 900, "100": 0, "250": 0, "inf": 0})]
        slow = [window("old", 900, latency={"50": 0, "100": 900, "250": 0, "inf": 0})]

        def judged(found: Reading) -> str:
            measured = StepMeasurements(
                "new",
                "old",
                fast,
                slow,
                NOON - timedelta(minutes=1),
                NOON,
                node_alive=True,
                readings=[found],
            )
            return judge(AnalysisTerms((effect,), 0.5, 0.05), measured).outcome

        assert judged(read(*[1.0] * 10, since=59)) == "successful"
        assert judged(read(*[9.0] * 11)) == "failed"
        assert judged(read()) == "error"

    def test_it_is_kept_with_its_value_and_never_with_what_json_lacks(self) -> None:
        kept = keep(verdict(read(*[1.0] * 11), read(*[1.0] * 10, NAN)))["readings"]
        assert [(r["value"], r["outcome"]) for r in kept] == [(1.0, "successful"), (None, "error")]
        assert (kept[0]["side"], kept[0]["limit"], kept[0]["for_seconds"]) == ("at_most", 2.0, 60)
