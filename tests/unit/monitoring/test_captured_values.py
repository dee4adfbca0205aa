"""What was captured, as answers show it and as revisions are compared by it."""

from typing import Any

import pytest

from apps.monitoring.parquet import Pair
from apps.monitoring.prediction_lines import json_or_none
from apps.monitoring.queries.comparing import TOLERANCE, _agree

DEEP = "[" * 3000 + "{}" + "]" * 3000
DEEPEST = "[" * 9994 + "]" * 9994  # it can be read, and not be said within an answer
HUGE = f"[1{'0' * 400}]"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, None),
        ("", None),
        ("[]", []),
        ('[{"a": "ä"}, null]', [{"a": "ä"}, None]),
        ("[1e400]", None),
        (r'["\ud800"]', None),
        (r'[{"\udfff": 1}]', None),
        (DEEPEST, None),
        ("[" * 30_000 + "]" * 30_000, None),
    ],
    ids=["none", "empty", "list", "rows", "infinite", "half", "name", "deepest", "deeper"],
)
def test_what_json_of_ours_cannot_say_is_not_shown(text: str | None, value: Any) -> None:
    assert json_or_none(text) == value


@pytest.mark.parametrize(
    ("stable", "candidate", "same"),
    [
        (DEEP, DEEP, True),
        (DEEP, DEEP.replace("{}", "1"), False),
        (HUGE, "[0.5]", False),
        (HUGE, HUGE, True),
        ("[1e999]", "[1e999]", True),
        ("[1]", "[1.0]", True),
    ],
    ids=["deep", "deep, other", "huge", "huge, same", "infinite", "by value"],
)
def test_what_cannot_be_compared_by_value_is_by_its_text(
    stable: str, candidate: str, same: bool
) -> None:
    assert _agree(Pair("p", 0.0, None, stable, candidate), TOLERANCE) is same
