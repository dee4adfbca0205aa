"""A recall over many nodes, some of which are cut off or lie: the report equals the truth."""

import pytest

from tests.support.fleet import PASTS, WAYS, Fleet

pytestmark = pytest.mark.django_db


def test_the_report_equals_what_is_true_of_every_node() -> None:
    fleet = Fleet.made(0, seed=1)
    targets = iter(range(len(WAYS) + len(PASTS)))
    for way in WAYS:
        add(fleet, next(targets), "bad alone", way)
    for past in PASTS:
        add(fleet, next(targets), past, "answers")
    found = fleet.recall()
    assert {state for _, state in fleet.reported(found).values()} == {"open", "never_ran"}
    fleet.answer(found)
    assert fleet.reported(found) == fleet.truth
    assert len(fleet.truth) == len(WAYS) + len(PASTS) - 1


def add(fleet: Fleet, number: int, past: str, way: str) -> None:
    """Have one more node join."""
    target = fleet.world.another_target(f"edge-{number}", "development")
    fleet.members.append(fleet.member(target, past, way))
