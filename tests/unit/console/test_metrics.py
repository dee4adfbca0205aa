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
    "evidence_worse": 3.7,
    "evidence_better": -2.0,
    "needed": 2.0,
}


def metric(**members: Any) -> MetricFindingRow:
    """Return a metric with other members."""
    finding: Any = FINDING | members
    return MetricFindingRow(finding, None)


def test_shares_name_how_many_they_are_of() -> None:
    assert (metric().candidate, metric().stable) == ("33.333% of 3", "0% of 1,200")
    assert metric(new_requests=0).candidate == share(None, 0) == "no requests counted"


@pytest.mark.parametrize(
    ("members", "titles", "evidence"),
    [
        ({}, ("Difference", "Allowed"), "“worse” 5,010, “within” 0.01 (needs 100)"),
        (
            {"stable_requests": None},
            ("True share", "Allowed"),
            "“worse” 5,010, “within” 0.01 (needs 100)",
        ),
        ({"sought": True}, ("Difference", "Sought"), "“less” 5,010, “enough” 0.01 (needs 100)"),
    ],
)
def test_what_is_sought_is_told_from_what_is_allowed(
    members: dict[str, Any], titles: tuple[str, str], evidence: str
) -> None:
    found = metric(**members)
    assert (found.titles, found.evidence) == (titles, evidence)
