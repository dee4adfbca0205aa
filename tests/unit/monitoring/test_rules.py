"""Sums and percentiles of request counts."""

import pytest

from apps.monitoring.rules import WindowCounts, total, valid_latency


def test_no_requests_are_not_the_same_as_no_errors() -> None:
    assert WindowCounts().error_rate is None
    assert WindowCounts().percentile(0.5) is None
    assert WindowCounts(status_2xx=10).error_rate == 0.0


def test_windows_are_added_up() -> None:
    whole = total(
        [
            WindowCounts(8, 1, 1, 5.0, {"5": 8, "10": 2}),
            WindowCounts(10, 0, 0, 5.0, {"5": 5, "inf": 5}),
        ]
    )
    assert (whole.requests, whole.seconds) == (20, 10.0)
    assert whole.latency == {"5": 13, "10": 2, "inf": 5}
    assert whole.error_rate == pytest.approx(0.05)


def test_a_percentile_lies_in_its_bucket() -> None:
    counts = WindowCounts(latency={"10": 50, "20": 40, "50": 10})
    assert counts.percentile(0.50) == 10.0
    assert counts.percentile(0.90) == 20.0
    assert counts.percentile(0.95) == pytest.approx(35.0)
    assert counts.percentile(0.70) == pytest.approx(15.0)


def test_what_is_above_every_bound_is_only_known_to_be_above() -> None:
    assert WindowCounts(latency={"10": 1, "inf": 99}).percentile(0.99) == 10.0


def test_percentiles_never_go_down() -> None:
    counts = WindowCounts(latency={"5": 3, "10": 0, "25": 7, "100": 1, "inf": 2})
    values = [counts.percentile(share / 100) or 0.0 for share in range(1, 101)]
    assert values == sorted(values)


@pytest.mark.parametrize("latency", [{"five": 1}, {"-5": 1}, {"5": -1}])
def test_a_histogram_with_odd_bounds_is_not_one(latency: dict[str, int]) -> None:
    assert not valid_latency(latency)
