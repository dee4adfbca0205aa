"""What the pages of captured predictions and of disagreements say, and when nothing is there."""

from types import SimpleNamespace as Row
from typing import Any

import pytest

from apps.console.queries.disagreements import DisagreementPage
from apps.console.queries.predictions import (
    CapturedCard,
    CapturedPage,
    ErasureRow,
    PredictionRow,
    ReportedRow,
)
from apps.monitoring.parquet import ParquetRow as Content
from apps.monitoring.queries import Compared, Disagreement, Reported
from placet.kernel.clock import now


def prediction(content: Content | None, cohort: str = "") -> PredictionRow:
    """Return a captured prediction with what its file has of it."""
    return PredictionRow(Row(prediction="0190", cohort=cohort), content, [])


def content(inputs: str | None, outputs: str | None, rows: int = 1) -> Content:
    """Return what a file has of a prediction."""
    return Content("0190", 0.0, "", rows, inputs, outputs, 12.5)


@pytest.mark.parametrize(
    ("held", "inputs", "outputs", "took"),
    [
        (content("[1]", "[0]"), "[1]", "[0]", "12.5"),
        (content(None, None), "1 row, over the bound", "–", "12.5"),
        (content("", "", rows=1200), "1,200 rows, over the bound", "–", "12.5"),
        (content("x" * 300, "y" * 300), "x" * 239 + "…", "y" * 119 + "…", "12.5"),
        (None, "no longer there", "–", ""),
    ],
)
def test_what_was_captured_is_shown_as_far_as_it_is_there(
    held: Content | None, inputs: str, outputs: str, took: str
) -> None:
    row = prediction(held)
    assert (row.inputs, row.outputs, row.milliseconds) == (inputs, outputs, took)


def test_details_list_every_input_of_the_first_row_and_say_what_is_left_out() -> None:
    many = ", ".join(f'"f{n}": {n}' for n in range(210))
    wide = prediction(content(f"[{{{many}}}]", "[1]"))
    assert (len(wide.fields), wide.fields[0]) == (200, ("f0", "0"))
    assert wide.unlisted == "The first 200 of 210 inputs."
    rows = prediction(content('[{"age": 41}, {"age": 2}]', "[1, 0]", rows=2))
    assert (rows.fields, rows.unlisted) == ([("age", "41")], "The first of 2 rows.")
    assert prediction(None).fields == []


@pytest.mark.parametrize(("chance", "shown"), [(0, "1,200"), (31, "1,200 ± 31")])
def test_what_is_expected_names_no_chance_where_there_is_none(chance: int, shown: str) -> None:
    figures: Any = Row(expected=1200, chance=chance)
    assert CapturedCard(figures).expected == shown


def test_a_copy_and_a_tester_are_named() -> None:
    said = [prediction(None, cohort).cohort for cohort in ("", "mirrored", "overridden")]
    assert said == ["", ", shadow", ", tester"]


@pytest.mark.parametrize(
    ("missing", "expected", "mark", "says"),
    [
        (1, 9, "failed", "About 1 captured prediction is missing: more than chance explains."),
        (2, 9, "failed", "About 2 captured predictions are missing: more than chance explains."),
        (0, 9, "passed", "Recorded as many as expected."),
        (0, 0, "", "Nothing to compare yet: a prediction counts once it is a minute old."),
    ],
)
def test_what_is_missing_is_said_first(missing: int, expected: int, mark: str, says: str) -> None:
    figures: Any = Row(missing=missing, expected=expected, revision=Row(number=3))
    card = CapturedCard(figures)
    assert (card.title, card.mark, card.says) == ("Revision 3, the last 24 h", mark, says)


def test_reports_that_came_first_wait() -> None:
    assert [ReportedRow(Reported("paid", {}, n)).waits for n in (0, 1, 2)] == [
        "",
        "1 waits for its prediction",
        "2 wait for their predictions",
    ]


def test_an_erasure_is_counted_once_it_is_done() -> None:
    rows = [ErasureRow(Row(done_at=at, erased=1)) for at in (None, now())]
    assert [row.done for row in rows] == ["under way", "1 prediction"]


def test_an_empty_list_says_whether_anything_is_captured() -> None:
    figures: Any = [Row()]
    assert "Nothing was captured yet." in CapturedPage(figures, [], [], [], "", False).empty
    assert "No revision here captures" in CapturedPage([], [], [], [], "", False).empty


def test_disagreements_are_counted() -> None:
    row = Disagreement("0190", now(), {"age": 3}, "a", "b")
    some = DisagreementPage(Compared(1200, 3, 0.01, [row]))
    assert some.summary == "3 of 1,200 pairs of answers"
    assert (some.title, some.tolerance) == ("0.25% differ", "0.01")
    assert (some.groups[0].inputs, some.groups[0].stable) == ('{"age": 3}', '"a"')
    assert some.more == "The newest 1 are shown."
    same = DisagreementPage(Compared(1, 0, 0.0))
    assert (same.summary, same.more) == ("0 of 1 pair of answers", "")
    assert same.empty == "Both revisions answered the same."
    none = DisagreementPage(Compared(0, 0, 0.0))
    assert none.summary == "nothing to compare yet"
    assert none.title == "No request was captured by both"
    assert none.empty.startswith("Needs shadow traffic")
