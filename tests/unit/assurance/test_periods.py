"""When a revision served: from its events and those of its endpoint, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.assurance.periods import (
    Moment,
    Share,
    ShareSet,
    Switch,
    periods,
    service_at,
    share_of,
    state_at,
)

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def moment(minutes: int) -> Moment:
    return Moment(minutes, at(minutes))


def gets(minutes: int, weight: int | None) -> ShareSet:
    return ShareSet(moment(minutes), None if weight is None else Share(weight))


def turns(minutes: int, state: str) -> Switch:
    return Switch(moment(minutes), state)


LIFE = [gets(1, 0), gets(2, 6000), gets(5, 10_000), gets(9, 0)]


@pytest.mark.parametrize(
    ("minutes", "weight"),
    [(0, 0), (1.9, 0), (2, 6000), (4.9, 6000), (5, 10_000), (8.9, 10_000), (9, 0), (99, 0)],
)
def test_a_share_counts_from_its_event_until_the_next(minutes: float, weight: int) -> None:
    service = service_at(periods(LIFE, [turns(0, "active")]), at(minutes))
    assert (service.share.weight if service else 0) == weight


def test_it_served_from_the_first_share_to_the_last_however_that_changed() -> None:
    service = service_at(periods(LIFE, []), at(3))
    assert service is not None
    assert (service.begin, service.end) == (moment(2), moment(9))
    assert (service.period.begin, service.period.end) == (moment(2), moment(5))


def test_nothing_serves_while_the_endpoint_is_stopped() -> None:
    switches = [turns(0, "active"), turns(4, "stopped"), turns(6, "active"), turns(8, "deleted")]
    served = periods(LIFE, switches)
    assert [(p.begin.index, p.end and p.end.index, p.share.weight) for p in served] == [
        (2, 4, 6000),
        (6, 8, 10_000),
    ]
    assert service_at(served, at(5)) is None
    after = service_at(served, at(7))
    assert after is not None
    assert after.begin == moment(6)
    assert [state_at(switches, at(n)) for n in (-1, 3, 5, 9)] == [
        "",
        "active",
        "stopped",
        "deleted",
    ]


def test_what_serves_still_has_no_end() -> None:
    (period,) = periods([gets(1, 10_000)], [])
    assert period.end is None
    assert period.covers(at(10**6))


def test_an_event_that_cannot_be_read_changes_nothing() -> None:
    assert periods([gets(1, 10_000), gets(2, None), gets(3, 0)], []) == periods(
        [gets(1, 10_000), gets(3, 0)], []
    )


@pytest.mark.parametrize(
    ("state", "share"),
    [
        ({"weight": 1, "header": None, "copies": None}, Share(1)),
        ({"weight": 0, "header": {"header": "X", "value": "a"}, "copies": 5}, Share(0, "X: a", 5)),
        ({"weight": True, "header": None, "copies": 0}, None),
        ({"weight": 10_001, "header": None, "copies": 0}, None),
        ({"weight": 1, "header": "X", "copies": 0}, None),
        ({"weight": None, "header": None, "copies": 0}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_share_is_read_strictly(state: Any, share: Share | None) -> None:
    assert share_of(state) == share
