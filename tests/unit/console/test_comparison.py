"""Two versions side by side: how a change is said, and what is folded away."""

import re
from types import SimpleNamespace
from typing import Any

import pytest

from apps.console.queries.comparison import (
    ChangeRow,
    ComparisonTable,
    MetricRow,
    compared_parts,
    diff_lines,
)
from apps.registry.comparison import ValueChange, VersionComparison


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (ValueChange("auc", 0.5, 0.75, "changed", 0.25), ("0.5", "0.75", "+0.25", "")),
        (ValueChange("auc", 0.75, 0.5, "changed", -0.25), ("0.75", "0.5", "−0.25", "")),
        (ValueChange("auc", 1, 1, "same", 0.0), ("1", "1", "same", "")),
        (ValueChange("age", None, "long", "added"), ("–", "long", "added", "+")),
        (ValueChange("age", "long", None, "removed"), ("long", "–", "removed", "−")),
        (ValueChange("age", "long", "double", "changed"), ("long", "double", "changed", "≠")),
    ],
)
def test_a_change_is_said(change: ValueChange, said: tuple[str, ...]) -> None:
    row = ChangeRow(change)
    assert (row.before, row.after, row.how, row.sign) == said


@pytest.mark.parametrize(
    ("name", "before", "after", "said"),
    [
        ("auc", 0.9123, 0.9235, "▲ +0.0112 better"),
        ("roc_auc", 0.9235, 0.9123, "▼ −0.0112 worse"),
        ("brier", 0.05, 0.06, "▲ +0.01 worse"),
        ("log_loss", 0.31, 0.3, "▼ −0.01 better"),
        ("mean_absolute_error", 12.5, 12.25, "▼ −0.25 better"),
        ("rows", 1000, 1024, "+24"),
        ("recall_error", 0.1, 0.2, "+0.1"),
        ("auc", 0.3, 0.1 + 0.2, "≈ 0"),
        ("auc", 0.97202797, 0.965034965, "▼ −0.007 worse"),
        ("auc", 0.0, 1e-9, "▲ +1e-09 better"),
        ("rows", 1e12, 1e12 + 1, "+1"),
        ("auc", float("inf"), 1.0, "▼ −inf worse"),
    ],
)
def test_a_metric_says_which_way_is_better_and_no_digit_of_noise(
    name: str, before: float, after: float, said: str
) -> None:
    change = ValueChange(name, before, after, "changed", after - before)
    assert " ".join(re.sub("<[^>]*>", " ", str(MetricRow(change).how)).split()) == said


def test_an_object_is_shown_whole_whatever_its_members_are_called() -> None:
    row = ChangeRow(
        ValueChange("opt", {"type": "adam", "lr": 1}, {"type": "adam", "lr": 2}, "changed")
    )
    assert row.before != row.after
    assert '"lr": 2' in row.after


@pytest.mark.parametrize(
    ("same", "changed", "shown", "folded"), [(6, 1, 7, 0), (7, 1, 1, 7), (7, 0, 0, 7)]
)
def test_long_runs_of_the_same_are_folded(same: int, changed: int, shown: int, folded: int) -> None:
    kept = [ValueChange(str(place), 1, 1, "same") for place in range(same)]
    new = [ValueChange(str(place), None, 1, "added") for place in range(changed)]
    part = ComparisonTable("Inputs", [ChangeRow(change) for change in kept + new])
    assert (len(part.shown), len(part.folded)) == (shown, folded)
    assert part.differ == f"{changed} of {same + changed} differ"


def test_digests_of_files_are_short_and_copied_whole() -> None:
    old, new = "ab" * 32, "cd" * 32
    files = [ValueChange("model.bin", old, new, "changed"), ValueChange("x", None, new, "added")]
    side: Any = None
    found = VersionComparison(side, side, [], [], [], [], [], files, [])
    changed, added = compared_parts(found)[0].rows
    assert ">abab…abab</button>" in changed.before
    assert f'data-copy="{new}"' in changed.after
    assert added.before == "–"


def test_lines_of_a_card_are_set_by_how_they_differ() -> None:
    found: Any = SimpleNamespace(card=["+++ b", "- old", " kept"])
    assert [kind for kind, _ in diff_lines(found.card)] == ["add", "del", ""]
