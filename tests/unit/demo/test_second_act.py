"""What the second act makes of the answers that its callers got."""

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.operations.demo.errors import DemoFailed
from apps.operations.demo.load import TimedResponse
from apps.operations.demo.second_act import CONCAVE, added, figures, measured_weights, patients

ROLLOUT: dict[str, Any] = {
    "release": "new",
    "steps": [
        {"set_weight": 25},
        {"analysis": {}},
        {"set_weight": 50},
        {"analysis": {}},
        {"set_weight": 100},
    ],
    "step_times": {
        str(place): datetime.fromtimestamp(at, UTC).isoformat()
        for place, at in ((0, 100), (1, 101), (2, 110), (3, 110.25), (4, 112))
    },
    "phase_times": {"aborting": datetime.fromtimestamp(108.5, UTC).isoformat()},
}


def test_every_seventh_row_has_no_concave_part() -> None:
    rows = [{"mean radius": 1.0, **dict.fromkeys(CONCAVE, 0.3)} for _ in range(20)]
    sent = patients(rows)
    assert [place for place, row in enumerate(sent) if row != rows[place]] == [4, 11, 18]
    assert sent[4] == {"mean radius": 1.0, **dict.fromkeys(CONCAVE, 0.0)}


def test_a_weight_is_measured_while_it_stands_alone() -> None:
    answers = [
        TimedResponse(100.5, "old", True),  # wished, not applied yet
        TimedResponse(101.0, "new", True),
        TimedResponse(102, "old", True),
        TimedResponse(103, "old", False),
        TimedResponse(109, "old", True),
        TimedResponse(110.0, "new", True),  # the next one is wished
        TimedResponse(110.5, "old", True),
        TimedResponse(111, "new", True),
        TimedResponse(112, "new", True),
    ]
    assert measured_weights(ROLLOUT, answers) == {"25": 25.0, "50": 50.0}
    with pytest.raises(DemoFailed, match="nobody called"):
        measured_weights(ROLLOUT, answers[:1])


def test_figures_of_a_version_that_was_stopped() -> None:
    answers = [
        TimedResponse(101.2, "old", True),
        TimedResponse(101.25, "new", True),
        TimedResponse(104, "new", False),
        TimedResponse(105, "", False),
        TimedResponse(108.625, "new", False),
        TimedResponse(109, "old", True),
    ]
    assert figures("new", ROLLOUT, answers) == {
        "detect_seconds": 7.25,
        "bad_requests": 2,
        "candidate_requests": 3,
        "rollback_seconds": 0.125,
    }
    assert figures("new", ROLLOUT, answers[:3])["rollback_seconds"] == 0
    with pytest.raises(DemoFailed, match="answered nobody"):
        figures("new", ROLLOUT, answers[:1])


def test_a_side_of_a_series_is_added_up() -> None:
    part = {"requests": 40, "error_rate": 0.05, "p95_ms": 12.0}
    series = {"points": [{"copies": part}, {"copies": None}, {"copies": part | {"p95_ms": 30.0}}]}
    assert added(series, "copies") == {"requests": 80, "errors": 4, "p95_ms": 30.0}
    assert added({"points": []}, "copies")["requests"] == 0
