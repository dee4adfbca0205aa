"""Answers are compared number by number: labels exactly, fractions within the tolerance."""

from typing import Any

import pytest

from workers.builder.comparison import ACCELERATED, EXACT, compare, every


def test_fractions_within_the_tolerance_are_equal_and_the_largest_difference_is_kept() -> None:
    found = compare(
        [{"prediction": 1, "p": [0.5, 0.500001]}, {"prediction": 0, "p": [200.001, 0.0]}],
        [{"prediction": 1, "p": [0.5, 0.5]}, {"prediction": 0, "p": [200.0, 0.0]}],
        ACCELERATED,
    )
    assert (found.rows, found.equal, found.first) == (2, 2, "")
    assert found.max_absolute == pytest.approx(0.001)
    assert found.max_relative == pytest.approx(5e-6, rel=1e-3)


@pytest.mark.parametrize(
    ("given", "wanted", "why"),
    [
        (1, 0, "Row 0 is 1, not 0"),
        (0.5001, 0.5, "Row 0 is 0.5001, not 0.5"),
        ({"a": 1.0}, {"b": 1.0}, "Row 0 is"),
        ({"a": 1.0, "b": 2}, {"a": 1.0, "b": 3}, "2, not 3 in b"),
        ("benign", "malignant", "'benign', not 'malignant'"),
        (True, 1, "True, not 1"),
        (1.0, 1, "1.0, not 1"),
        (None, 0.5, "None, not 0.5"),
        ([0.5], [0.5, 0.5], "not [0.5, 0.5]"),
        (float("nan"), 0.5, "nan, not 0.5"),
    ],
)
def test_what_differs_is_named(given: Any, wanted: Any, why: str) -> None:
    found = compare([given], [wanted], ACCELERATED)
    assert found.equal == 0
    assert why in found.first


def test_a_missing_answer_is_a_difference() -> None:
    assert compare([1], [1, 2], EXACT).equal == 0
    assert compare([], [1], EXACT).first == "0 answers for 1 rows"
    assert compare([None], [None], EXACT).equal == 1


def test_exact_is_what_json_leaves_of_a_number() -> None:
    assert compare([0.1 + 0.2], [0.3], EXACT).equal == 1
    assert compare([0.300001], [0.3], EXACT).equal == 0


@pytest.mark.parametrize(("rows", "said"), [(1, "The only row is"), (3, "All 3 rows are")])
def test_one_row_is_not_all_rows(rows: int, said: str) -> None:
    assert every(rows) == said
