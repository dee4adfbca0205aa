"""The figures of what a build answered before, as lines of a table."""

from typing import Any

import pytest

from apps.console.queries.behaviour_parts import FigureColumn, figure_rows, output_rows
from apps.monitoring.rules import FEWEST, WindowCounts
from placet.kernel.clock import now
from placet_verify.capture import REDACTED


def column(good: int, bad: int = 0) -> FigureColumn:
    counts = WindowCounts(good, 0, bad, 10.0, {"5": good + bad})
    return FigureColumn("revision 2, this build", "in its rollout", now(), now(), counts)


def test_each_line_has_a_value_for_every_column() -> None:
    rows = dict(figure_rows([column(98, 2), column(100)]))
    assert rows["Requests"] == ["100", "100"]
    assert rows["Server errors"] == ["2%", "0%"]
    assert all(len(values) == 2 for values in rows.values())


def test_percentiles_of_few_requests_are_left_out_and_rates_of_none_too() -> None:
    rows = dict(figure_rows([column(FEWEST - 1), column(0), column(FEWEST)]))
    assert rows["p95"][:2] == ["–", "–"] and rows["p95"][2].endswith(" ms")
    assert rows["Server errors"][1] == "–"


@pytest.mark.parametrize(
    ("new", "old", "rows"),
    [
        ([], [0], []),
        ([0, 0, 1], [], [("prediction", "0: 2, 1: 1", "–")]),
        ([{"label": "a"}], [{"label": "b"}], [("label", "a: 1", "b: 1")]),
        ([REDACTED], [1], []),
        (
            [{"a": 1, "b": 2, "c": 3, "d": 4}],
            [],
            [(n, f"{v}: 1", "–") for n, v in zip("abc", (1, 2, 3), strict=True)],
        ),
    ],
)
def test_outputs_are_counted_by_their_name(new: list[Any], old: list[Any], rows: Any) -> None:
    assert output_rows(new, old) == rows
