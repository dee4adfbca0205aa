"""A/B tests in a plan: what is declared, what is filled in, and what is refused by which name."""

from typing import Any

import pytest

from apps.governance.gates import plan as gate
from apps.governance.gates import read
from apps.governance.plan import DocumentFault, Plan, written
from tests.support.documents import plan_document

LEAST: dict[str, Any] = {"metric": {"metric": "error_rate"}, "minimum_effect": 0.02}
SLOW = {"metric": "latency", "over_ms": 250}
SALES = {"metric": "outcome", "name": "sales", "worst": 0, "best": 100}
TEST = {"ab_test": LEAST}
HALF, LAST = {"set_weight": 50}, {"set_weight": 100}


def declared(**changes: Any) -> dict[str, Any]:
    """Return the whole plan with a declaration that differs so from the least."""
    return plan_document({"strategy": "ab_test", "steps": [HALF, {"ab_test": LEAST | changes}]})  # type: ignore[return-value]


def faults(steps: Any, strategy: str = "ab_test") -> list[tuple[str, str]]:
    """Return what is wrong with a plan."""
    with pytest.raises(DocumentFault) as caught:
        plan_document({"strategy": strategy, "steps": steps})
    return caught.value.faults


def test_all_that_is_not_given_is_filled_in_and_so_part_of_what_is_approved() -> None:
    assert declared()["steps"] == [
        HALF,
        {
            "ab_test": {
                "metric": {"metric": "error_rate"},
                "direction": "decrease",
                "minimum_effect": 0.02,
                "guardrails": [],
                "alpha": 0.05,
                "stop_after": {"requests": 100_000, "seconds": 604_800},
            }
        },
        {"ship": {}},
        LAST,
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"metric": SLOW, "guardrails": [{"metric": "error_rate", "margin": 0.005}]},
        {"guardrails": [{"metric": "latency", "quantile": 0.95, "at_most_ms": 250}]},
        {"stop_after": {"requests": 10}, "alpha": 0.01},
        {"stop_after": {"seconds": 60}},
        {"metric": {"metric": "outcome", "name": "fraud", "worst": 1, "best": 0}},
        {"metric": SALES, "direction": "increase"},
        {"guardrails": [SALES | {"margin": 0.02}]},
    ],
)
def test_a_declaration_is_carried_out_as_it_is_written(changes: dict[str, Any]) -> None:
    plan = declared(**changes)
    assert [written(step) for step in Plan.stored(plan).steps] == plan["steps"]
    assert plan_document(plan) == plan


@pytest.mark.parametrize(
    "steps", [[HALF, TEST, LAST], [HALF, TEST, {"ship": {}}], [HALF, TEST, {"ship": {}}, LAST]]
)
def test_shipping_and_the_last_weight_may_be_written_or_left_out(steps: list[Any]) -> None:
    assert plan_document({"strategy": "ab_test", "steps": steps}) == declared()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"metric": None}, "/metric"),
        ({"metric": {"metric": "clicks"}}, "/metric"),
        ({"metric": {"metric": ["error_rate"]}}, "/metric"),
        ({"metric": {"metric": "error_rate", "margin": 0.01}}, "/metric"),
        ({"metric": {"metric": "latency"}}, "/metric"),
        ({"metric": {"metric": "latency", "quantile": 0.95, "at_most_ms": 250}}, "/metric"),
        ({"metric": SLOW | {"over_ms": 4}}, "/metric/over_ms"),
        ({"direction": "increase"}, "/direction"),
        ({"minimum_effect": 0}, "/minimum_effect"),
        ({"minimum_effect": None}, "/minimum_effect"),
        ({"minimum_effect": float("nan")}, "/minimum_effect"),
        ({"minimum_effect": True}, "/minimum_effect"),
        ({"guardrails": {}}, "/guardrails"),
        ({"guardrails": [{"metric": "clicks"}]}, "/guardrails/0/metric"),
        ({"guardrails": [{"metric": "error_rate"}] * 2}, "/guardrails/1"),
        ({"alpha": 0}, "/alpha"),
        ({"alpha": 0.2}, "/alpha"),
        ({"stop_after": {"requests": 0}}, "/stop_after/requests"),
        ({"stop_after": {"seconds": 30 * 86_400}}, "/stop_after/seconds"),
        ({"stop_after": {"days": 1}}, "/stop_after"),
        ({"stop_after": 5}, "/stop_after"),
        ({"peek": True}, "/peek"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(changes: dict[str, Any], pointer: str) -> None:
    found = faults([HALF, {"ab_test": LEAST | changes}])
    assert [at for at, _ in found] == [f"/plan/steps/1/ab_test{pointer}"]


@pytest.mark.parametrize(
    "steps",
    [
        [HALF],
        [TEST],
        [LAST, TEST],
        [{"set_weight": 5}, HALF, TEST],
        [HALF, {"pause": {}}, TEST],
        [HALF, TEST, {"pause": {}}],
        [{"ship": {}}, HALF, TEST],
        [HALF, {"ship": {}}, TEST],
    ],
)
def test_an_ab_test_holds_one_allocation_and_ships_after_it(steps: list[Any]) -> None:
    assert [at for at, _ in faults(steps)] == ["/plan/steps"]


@pytest.mark.parametrize("step", [TEST, {"ship": {}}])
def test_other_strategies_have_neither_a_test_nor_its_shipping(step: dict[str, Any]) -> None:
    found = faults([{"set_weight": 5}, step, LAST], "canary")
    assert found == [("/plan/steps/1", "belongs to the strategy ab_test")]


def test_shipping_takes_nothing_from_the_plan() -> None:
    found = faults([HALF, TEST, {"ship": {"by": "me"}}])
    assert [at for at, _ in found] == ["/plan/steps/2/ship"]


def test_the_gate_sees_an_ab_test_as_analysed_and_waiting_for_a_person() -> None:
    asked = {"gate": "plan", "waits_for_person": True, "analysed": True}
    assert gate.fault_of(read(asked), declared()) == ""
    other = read({"gate": "plan", "strategies": ["canary"]})
    assert gate.fault_of(other, declared()) == "It is rolled out by A/B test"
    assert "by A/B test" in gate.title(read({"gate": "plan", "strategies": ["ab_test"]}))


def test_more_of_what_is_good_is_sought_and_never_less() -> None:
    assert declared(metric=SALES)["steps"][1]["ab_test"]["direction"] == "increase"
    wrong = {"ab_test": LEAST | {"metric": SALES, "direction": "decrease"}}
    ((pointer, detail),) = faults([HALF, wrong])
    assert pointer == "/plan/steps/1/ab_test/direction"
    assert detail.startswith("must be increase")
    nameless = {"ab_test": LEAST | {"metric": {"metric": "outcome", "name": ""}}}
    assert faults([HALF, nameless])[0][0] == "/plan/steps/1/ab_test/metric/name"
