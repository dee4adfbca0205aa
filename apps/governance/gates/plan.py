"""``plan``: how carefully a release goes out, by the steps of its plan."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import model_validator

from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.gates.members import Members, flag, or_null, some_of
from apps.governance.parts import whole, wrong
from apps.governance.plan import PRESETS, AbTest, Analysis, Pause, Plan, Ship

NAME = "plan"
REPEATABLE = False


class PlanMembers(Members):
    """The strategies that pass, how many percent the first step may send, whether a person is
    waited for, and whether a step before the last weight analyses."""

    strategies: Annotated[list[str], some_of(tuple(PRESETS))] = sorted(PRESETS)
    first_step_at_most: Annotated[int | None, or_null(whole(1, 100))] = None
    waits_for_person: Annotated[bool, flag()] = False
    analysed: Annotated[bool, flag()] = False

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.strategies == ["replace"] and (self.first_step_at_most or 100) < 100:
            detail = "cannot be met: replace sends all requests at once"
            raise wrong((("first_step_at_most",), detail))
        return self


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    parts = []
    if len(gate["strategies"]) < len(PRESETS):
        parts.append("by " + " or ".join(strategy_title(name) for name in gate["strategies"]))
    if (most := gate.get("first_step_at_most")) is not None:
        parts.append(f"at most {most}% at first")
    if gate["waits_for_person"]:
        parts.append("with manual approval")
    if gate.get("analysed"):
        parts.append("analysed")
    return "Rollout " + ", ".join(parts) if parts else "Rollout plan"


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Look at the plan of the release; where nothing is live its steps are skipped all the same."""
    if not facts.plan:
        return answer(gate, title(gate), "failed", "There is no plan")
    plan = Plan.stored(facts.plan)
    first, waits = plan.weights[0], waits_for_person(plan)
    shown = {"strategy": plan.strategy, "first_step": first, "waits_for_person": waits}
    if fault := fault_of(gate, facts.plan):
        return answer(gate, title(gate), "failed", fault, **shown)
    name = strategy_title(plan.strategy)[:1].upper() + strategy_title(plan.strategy)[1:]
    person = ", with manual approval" if waits else ""
    return answer(gate, title(gate), "passed", f"{name}, {first:g}% at first{person}", **shown)


def strategy_title(strategy: str) -> str:
    """Return a strategy as people say it."""
    return "A/B test" if strategy == "ab_test" else strategy.replace("_", "/")


def waits_for_person(plan: Plan) -> bool:
    """Tell whether a step waits for a person."""
    return any(isinstance(step, Ship) or step == Pause() for step in plan.steps)


def fault_of(gate: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Return what the gate has against a plan, in a sentence; '' for nothing."""
    plan, faults = Plan.stored(document), []
    if plan.strategy not in gate["strategies"]:
        faults.append(f"it is rolled out by {strategy_title(plan.strategy)}")
    if plan.weights[0] > gate.get("first_step_at_most", 100):
        faults.append(f"its first step sends {plan.weights[0]:g}% of the requests")
    if gate["waits_for_person"] and not waits_for_person(plan):
        faults.append("no step waits for manual approval")
    if gate.get("analysed") and not any(isinstance(s, Analysis | AbTest) for s in plan.steps):
        faults.append("no step analyses the new revision")
    text = " and ".join(faults)
    return text[:1].upper() + text[1:]
