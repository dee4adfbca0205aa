"""How a metric of an analysis is put into words."""

from typing import Any

import pytest

from apps.console.queries.analyses import MetricFindingRow, share

FINDING: dict[str, Any] = {
    "new_bad": 1,
    "new_requests": 3,
    "stable_bad": 0,
    "stable_requests": 1200,
    "low": -0.01,
    "high": 0.02,
    "limit": 0.005,
    "sought": False,
}


def metric(**members: Any) -> MetricFindingRow:
    """Return a metric with other members."""
    finding: Any = FINDING | members
    return MetricFindingRow(finding, None)


def test_shares_name_how_many_they_are_of() -> None:
    assert (metric().candidate, metric().stable) == ("33.333 % of 3", "0 % of 1\u202f200")
    assert metric(new_requests=0).candidate == share(None, 0) == "no requests yet"


@pytest.mark.parametrize(
    ("members", "titles", "sides"),
    [
        ({}, ("Difference", "Allowed"), ("worse", "within")),
        ({"stable_requests": None}, ("True share", "Allowed"), ("worse", "within")),
        ({"sought": True}, ("Difference", "Sought"), ("less than that", "at least")),
    ],
)
def test_what_is_sought_is_told_from_what_is_allowed(
    members: dict[str, Any], titles: tuple[str, str], sides: tuple[str, str]
) -> None:
    found = metric(**members)
    assert (found.titles, found.sides) == (titles, sides)
