"""When two answers count as the same."""

from typing import Any

import pytest

from apps.monitoring.agreement import agree


@pytest.mark.parametrize(
    ("stable", "candidate"),
    [
        ([1], [1]),
        (["yes", None], ["yes", None]),
        ([0.5], [0.5000001]),
        ([1000.0], [1000.0009]),
        ([1], [1.0]),
        ([{"p": 0.2, "class": "a"}], [{"class": "a", "p": 0.2}]),
        ([[1, 2.0]], [[1, 2]]),
    ],
)
def test_the_same(stable: Any, candidate: Any) -> None:
    assert agree(stable, candidate, 1e-6) and agree(candidate, stable, 1e-6)


@pytest.mark.parametrize(
    ("stable", "candidate"),
    [
        ([1], [2]),
        ([10_000_000], [10_000_001]),  # classes: no tolerance
        (["yes"], ["no"]),
        ([1], ["1"]),
        ([1], [True]),
        ([None], [0.0]),
        ([0.5], [0.51]),
        ([1, 2], [1]),
        ([{"p": 0.2}], [{"q": 0.2}]),
        ([[1.0]], [1.0]),
    ],
)
def test_not_the_same(stable: Any, candidate: Any) -> None:
    assert not agree(stable, candidate, 1e-6) and not agree(candidate, stable, 1e-6)


def test_a_wider_tolerance_is_absolute_or_relative() -> None:
    assert agree([0.50], [0.51], 0.02)
    assert agree([100.0], [101.0], 0.02)
    assert not agree([100.0], [103.0], 0.02)
