"""The guard of a plan: what is taken, what is filled in, and what is refused at which place."""

from typing import Any

import pytest

from apps.governance.plan import Plan
from apps.governance.plan.guard import CAREFUL
from apps.rollouts.guard import sentences
from placet_protocol.guard import Guard
from placet_protocol.state import read_revision
from tests.support.documents import plan_document
from tests.unit.agent.test_routing import revision
from tests.unit.governance.test_plans import faults

RATE = {"at_most": 0.1, "window_seconds": 30, "minimum_requests": 20}
SLOW = {"quantile": 0.99, "at_most_ms": 500, "window_seconds": 60, "minimum_requests": 50}


def guard_of(**changes: Any) -> Any:
    """Return the guard of the whole plan that a canary with ``changes`` becomes."""
    return plan_document({"strategy": "canary", **changes}).get("guard")


def test_a_canary_has_a_guard_unless_it_says_that_it_has_none() -> None:
    assert guard_of() == CAREFUL
    assert guard_of(guard={}) == {}
    assert guard_of(guard={"consecutive_failures": 3}) == {"consecutive_failures": 3}


def test_other_plans_have_the_guard_that_they_ask_for() -> None:
    assert "guard" not in plan_document({"strategy": "blue_green"})
    asked = plan_document({"strategy": "blue_green", "guard": {"consecutive_failures": 5}})
    assert asked["guard"] == {"consecutive_failures": 5}
    assert plan_document({**asked}) == asked


def test_windows_are_filled_in() -> None:
    short = {"error_rate": {"at_most": 0.1}, "latency": {"quantile": 0.99, "at_most_ms": 500}}
    window = {"window_seconds": 60, "minimum_requests": 50}
    assert guard_of(guard=short) == {name: rule | window for name, rule in short.items()}


@pytest.mark.parametrize(
    ("guard", "pointer"),
    [
        ([], ""),
        (None, ""),
        ("careful", ""),
        ({"luck": 1}, "/luck"),
        ({"consecutive_failures": 1}, "/consecutive_failures"),
        ({"consecutive_failures": 2.5}, "/consecutive_failures"),
        ({"consecutive_failures": True}, "/consecutive_failures"),
        ({"consecutive_failures": None}, "/consecutive_failures"),
        ({"error_rate": 0.5}, "/error_rate"),
        ({"error_rate": {}}, "/error_rate/at_most"),
        ({"error_rate": RATE | {"at_most": 0}}, "/error_rate/at_most"),
        ({"error_rate": RATE | {"at_most": -0.1}}, "/error_rate/at_most"),
        ({"error_rate": RATE | {"at_most": float("nan")}}, "/error_rate/at_most"),
        ({"error_rate": RATE | {"at_most": float("inf")}}, "/error_rate/at_most"),
        ({"error_rate": RATE | {"at_most": "0.5"}}, "/error_rate/at_most"),
        ({"error_rate": RATE | {"window_seconds": 601}}, "/error_rate/window_seconds"),
        ({"error_rate": RATE | {"minimum_requests": 0}}, "/error_rate/minimum_requests"),
        ({"error_rate": RATE | {"margin": 0.1}}, "/error_rate/margin"),
        ({"latency": SLOW | {"at_most_ms": 0.5}}, "/latency/at_most_ms"),
        ({"latency": SLOW | {"quantile": 1}}, "/latency/quantile"),
        ({"latency": {"at_most_ms": 500}}, "/latency/quantile"),
    ],
)
def test_what_is_no_guard_is_named_by_its_place(guard: Any, pointer: str) -> None:
    found = faults({"strategy": "canary", "guard": guard})
    assert [place for place, _ in found] == [f"/plan/guard{pointer}"]


def test_a_plan_from_before_there_were_guards_has_none() -> None:
    assert Plan.stored({"strategy": "canary", "steps": [{"set_weight": 100}]}).guard_entry == {}


def test_every_guard_that_is_approved_is_one_that_nodes_read() -> None:
    whole = guard_of(guard={"consecutive_failures": 1000, "error_rate": RATE, "latency": SLOW})
    for given in (CAREFUL, whole, {"latency": SLOW | {"at_most_ms": 120_000}}):
        read = read_revision(revision(1, guard=given)).guard
        assert read is not None
        kept = {name for name in Guard.__dataclass_fields__ if getattr(read, name) is not None}
        assert kept == set(given)


def test_a_guard_reads_as_what_it_stops_at() -> None:
    given = guard_of(guard={"consecutive_failures": 5, "error_rate": RATE, "latency": SLOW})
    assert sentences(given) == [
        "5 server errors in a row",
        "more than 10% server errors in 30 s (of at least 20 answers)",
        "more than 1% of the answers over 500 ms in 60 s (of at least 50)",
    ]
