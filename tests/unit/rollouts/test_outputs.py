"""Judging a candidate by what it predicts: shifts either way, and what shows nothing."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from apps.governance.plan import OutputMetric
from apps.rollouts.analysis import (
    AnalysisTerms,
    AnalysisVerdict,
    JudgedMetric,
    StepMeasurements,
    judge,
)
from apps.rollouts.analysis.evidence import TrialTally
from apps.rollouts.analysis.findings import score
from apps.rollouts.analysis.records import Own, Sums
from tests.support.documents import measured
from tests.unit.rollouts.test_analysis import NOON, window

LABEL = measured({"metric": "output", "is": ["fraud", "theft"], "margin": 0.05})


def counted(metric: JudgedMetric, total: int, given: dict[Any, int]) -> dict[Own, TrialTally]:
    """Return what is counted when each value was given so often."""
    found: dict[Own, TrialTally] = {}
    for part in metric.parts:
        assert part.answer is not None
        times = given.get(part.answer.value, 0)
        found[part.answer] = TrialTally(total, total - times if part.answer.other else times)
    return found


def verdict(
    new: int, old: int, *, total: int = 2000, stable: int | None = None, theft: int = 40
) -> AnalysisVerdict:
    """Judge how often both revisions gave "fraud"; "theft" as often as each other."""
    measured = StepMeasurements(
        "new",
        "old",
        [window(count=5000)],
        [window("old", 5000)],
        NOON - timedelta(minutes=1),
        NOON,
        node_alive=True,
        candidate_own=counted(LABEL, total, {"fraud": new, "theft": theft}),
        stable_own=counted(
            LABEL, total if stable is None else stable, {"fraud": old, "theft": theft}
        ),
    )
    return judge(AnalysisTerms(LABEL.parts, 0.5, 0.01, 1), measured)


@pytest.mark.parametrize(("new", "way"), [(600, "more often"), (50, "less often")])
def test_a_shift_either_way_is_found(new: int, way: str) -> None:
    found = verdict(new, 300)
    assert found.outcome == "failed"
    (shifted,) = [f for f in found.findings if f.score.outcome == "failed"]
    assert shifted.metric.title == f'Output "fraud" {way}'


def test_it_is_said_in_words() -> None:
    more, less = verdict(600, 300).sentence, verdict(50, 300).sentence
    assert more.startswith(
        '30% of 2,000 predictions gave output "fraud", 15% of 2,000 on stable. '
        "That is more by at least "
    )
    assert less.startswith('97.5% of 2,000 predictions gave another output than "fraud", 85%')


def test_the_same_distribution_passes() -> None:
    found = verdict(1350, 1350, total=9000, theft=180)
    assert found.outcome == "successful"
    assert len(found.findings) == 4
    assert "It is more by at most" in found.sentence


def test_what_neither_revision_gave_shows_nothing() -> None:
    """A value with a typing error must not let everything pass."""
    found = verdict(0, 0, total=9000, theft=180)
    assert found.outcome == "inconclusive"
    assert "Neither revision gave it: that shows nothing." in found.sentence
    assert [f.more_requests for f in found.findings] == [None, None, 0, 0]


@pytest.mark.parametrize(("total", "stable"), [(0, 0), (9000, 0), (0, 9000)])
def test_what_is_not_captured_is_no_success(total: int, stable: int) -> None:
    found = verdict(total // 5, stable // 5, total=total, stable=stable, theft=min(total, stable))
    assert found.outcome == "inconclusive"


@pytest.mark.parametrize(
    ("document", "asked", "titles"),
    [
        (
            {"metric": "output", "is": [True], "margin": 0.01},
            "output true within 1 point of stable",
            ["Output true more often", "Output true less often"],
        ),
        (
            {"metric": "output", "above": [0.5, 2], "field": "score", "margin": 0.02},
            "score above 0.5 or above 2 within 2 points of stable",
            [f"score above {edge} {way} often" for edge in (0.5, 2) for way in ("more", "less")],
        ),
    ],
)
def test_it_is_named(document: dict[str, Any], asked: str, titles: list[str]) -> None:
    metric = measured(document)
    assert (OutputMetric(**document).document, metric.asked) == (document, asked)
    assert [part.title for part in metric.parts] == titles


@pytest.mark.parametrize(("shift", "at_most", "at_least"), [(0.0, 4, 0), (0.6, 100, 95)])
def test_equal_outputs_hardly_ever_stop_a_rollout_and_shifted_ones_do(
    shift: float, at_most: int, at_least: int
) -> None:
    """100 rollouts whose outputs are spread evenly, a look after each 50 predictions."""
    edges = [0.25, 0.5, 0.75]
    metric = measured({"metric": "output", "above": edges, "margin": 0.0})
    chance, stopped, terms = Random(20261126), 0, AnalysisTerms(metric.parts, 0.3, 0.01)
    for _ in range(100):
        given: list[list[float]] = [[], []]  # by the candidate, and by stable
        for number in range(1, 1501):
            new = chance.random() < 0.3
            given[not new].append(chance.random() ** (1 + shift * new))
            if number % 50 == 0 and _failed(metric, given, edges, terms):
                stopped += 1
                break
    assert at_least <= stopped <= at_most


def _failed(
    metric: JudgedMetric, given: list[list[float]], edges: list[float], terms: AnalysisTerms
) -> bool:
    mine, stable = (
        Sums(own=counted(metric, len(some), {e: sum(v > e for v in some) for e in edges}))
        for some in given
    )
    return any(score(part, mine, stable, terms).outcome == "failed" for part in metric.parts)
