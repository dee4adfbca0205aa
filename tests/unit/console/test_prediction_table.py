"""Captured predictions by column, how those spread, and disagreements together."""

from typing import Any

import pytest

from apps.console.queries.disagreement_groups import answers_of, differences, groups_of, two_way
from apps.console.queries.prediction_table import prediction_table, spread_of
from apps.monitoring.parquet import ParquetRow
from apps.monitoring.queries import Disagreement
from placet.kernel.clock import now


def content(inputs: str | None, outputs: str | None) -> ParquetRow:
    """Return what a file has of a prediction."""
    return ParquetRow("0190", 0.0, "", 1, inputs, outputs, 1.0)


def disagreement(inputs: Any, stable: Any, candidate: Any) -> Disagreement:
    """Return a request that two revisions answered differently."""
    return Disagreement("0190", now(), inputs, stable, candidate)


def test_each_feature_and_answer_has_a_column() -> None:
    rows = [
        content('[{"age": 41, "city": "Bern"}]', '[{"class": "a", "score": 0.25}]'),
        content('[{"age": 42.5}, {"age": 1}]', "[7]"),
        content("no JSON", None),
        None,
    ]
    table = prediction_table(rows)
    names = [(column.name, column.is_answer) for column in table.columns]
    assert names == [
        ("class", True),
        ("score", True),
        ("prediction", True),
        ("age", False),
        ("city", False),
    ]
    assert [[value for _, value in table.cells(row)] for row in rows] == [
        ["a", "0.25", "–", "41", "Bern"],
        ["–", "–", "7", "42.5", "–"],
        ["–"] * 5,
        ["–"] * 5,
    ]
    assert (table.rows, table.hidden) == (2, 0)


def test_what_has_too_many_columns_says_how_many_more_there_are() -> None:
    wide = "[{" + ", ".join(f'"f{n}": {n}' for n in range(30)) + "}]"
    table = prediction_table([content(wide, "[1]")])
    assert (len(table.columns), table.hidden) == (7, 24)


@pytest.mark.parametrize(
    ("values", "bars", "counts"),
    [
        (["a", "b", "a"], 0, [("a", "2"), ("b", "1")]),
        ([1, 1, 2], 0, [("1", "2"), ("2", "1")]),
        ([float(n) for n in range(16)], 8, []),
        ([*range(7), 10**400], 0, None),
        ([-1.7e299, *range(8), 1.7e299], 3, []),
        ([str(n) for n in range(9)], 0, None),
    ],
)
def test_a_column_is_counted_by_value_or_drawn(
    values: list[Any], bars: int, counts: list[tuple[str, str]] | None
) -> None:
    spread = spread_of(values)
    assert len(spread.bars) == bars
    if counts is None:
        assert spread.counts[-1][0] == "others"
    else:
        assert list(spread.counts) == counts


def test_equal_disagreements_are_one() -> None:
    rows = [
        disagreement({"age": 1}, ["a"], ["b"]),
        disagreement({"age": 2}, ["a"], ["b"]),
        disagreement({"age": 2}, ["a"], ["b"]),
    ]
    assert [(one.inputs, one.count) for one in groups_of(rows)] == [
        ('{"age": 2}', 2),
        ('{"age": 1}', 1),
    ]
    pairs = answers_of(rows)
    table = two_way(pairs)
    assert table is not None
    assert (list(table.columns), list(table.rows)) == (["b"], [("a", ["3"])])
    assert differences(pairs) is None
    assert two_way([]) is None


def test_numbers_show_how_far_they_are_apart() -> None:
    pairs = answers_of([disagreement({}, [1.0, 2.0, 5.0], [1.5, 2.0, 3.0])])
    assert pairs == [(1.0, 1.5), (5.0, 3.0)]
    spread = differences(pairs)
    assert spread is not None
    assert spread.words == "−2 to 0.5"
    many = [(f"{n}", f"{n + 1}") for n in range(12)] * 2
    table = two_way(many)
    assert table is not None
    assert (len(table.columns), table.rows[-1][0]) == (9, "others")
