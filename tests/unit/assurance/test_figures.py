"""How long releases took and how often they went wrong, worked out from times and ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.assurance.figures import Course, End, Ends, Place, Stages, Taken, ends, stages, taken

PLACE = Place("churn", "production")
BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(hours: float) -> datetime:
    return BEGAN + timedelta(hours=hours)


WHOLE = Course(
    place=PLACE,
    requester="per_ada",
    registered_at=at(0),
    requested_at=at(10),
    decided_at=at(12),
    approved_at=at(36),
    started_at=at(37),
    live_at=at(40),
)


def hours(figures: Stages) -> dict[str, float | None]:
    names = ("lead", "people", "gates", "start", "rollout", "whole")
    medians = {name: getattr(figures, name).median for name in names}
    return {name: value if value is None else value / 3600 for name, value in medians.items()}


def test_each_part_of_the_way_is_measured_and_they_add_up() -> None:
    found = hours(stages([WHOLE]))
    assert found == {
        "lead": 40,
        "people": 2,
        "gates": 24,
        "start": 1,
        "rollout": 3,
        "whole": 30,
    }


def test_a_release_that_nobody_had_to_decide_on_waited_for_gates_alone() -> None:
    found = stages([replace(WHOLE, decided_at=None)])
    assert found.people == Taken()
    assert found.gates.median == 26 * 3600


def test_a_version_that_was_live_there_before_has_no_lead_time() -> None:
    again = replace(WHOLE, first=False, live_at=at(1000))
    found = stages([WHOLE, again])
    assert found.lead == Taken(1, 40 * 3600, 40 * 3600)
    assert found.whole.count == 2


def test_a_version_without_a_time_of_registration_has_none() -> None:
    assert stages([replace(WHOLE, registered_at=None)]).lead == Taken()


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    assert stages([replace(WHOLE, started_at=at(35))]).start.median == 0


def test_nothing_takes_no_time() -> None:
    assert taken([]) == Taken(0, None, None)
    assert hours(stages([])) == dict.fromkeys(
        ("lead", "people", "gates", "start", "rollout", "whole")
    )


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=50))
def test_half_take_at_most_the_median_and_nine_in_ten_the_other(values: list[int]) -> None:
    found = taken(values)
    assert found.count == len(values)
    assert found.median is not None
    assert found.p90 is not None
    assert found.median == pytest.approx(median(values))
    assert min(values) <= found.median <= found.p90 <= max(values)


def test_what_failed_was_aborted_or_taken_back_went_wrong() -> None:
    rows = [
        End(PLACE, "per_ada", "done", "live"),
        End(PLACE, "per_ada", "done", "superseded"),
        End(PLACE, "per_ada", "done", "rolled_back"),
        End(PLACE, "per_ada", "done", "revoked"),
        End(PLACE, "per_ada", "failed", "failed"),
        End(PLACE, "per_ada", "failed", "live"),  # it was tried again
        End(PLACE, "per_ada", "aborted", "revoked"),  # by the recall: it was never live
        End(PLACE, "per_ada", "aborted", "aborted"),
    ]
    found = ends(rows)
    assert found == Ends(ended=8, failed=2, aborted=2, taken_back=2)
    assert found.live == 4
    assert found.failure_rate == 6 / 8
    assert found.taken_back_rate == 2 / 4


def test_of_no_rollout_no_share_is_said() -> None:
    assert (Ends().failure_rate, Ends().taken_back_rate) == (None, None)
    assert Ends(ended=1, failed=1).taken_back_rate is None
