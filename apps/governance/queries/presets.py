"""Plans that are ready to be chosen, and which of them an environment's policy lets through."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.governance.gates import plan as gate
from apps.governance.models import Environment, PolicyRevision
from apps.governance.plan import PRESETS, Analysis, Plan
from placet.kernel.problems import FieldError, InvalidInput

TITLES = {
    "replace": "Replace",
    "blue_green": "Blue/green",
    "canary": "Careful canary",
    "canary_paused": "Canary with a pause",
    "shadow": "Shadow",
    "ab_test": "A/B test",
}
SAYS = {
    "replace": "All traffic at once, as soon as every replica is ready",
    "blue_green": "Started next to the live revision; all traffic is switched manually",
    "canary": "1, 5, 25, 50 and 100%, analysed at each step",
    "canary_paused": "10% until resumed manually, then all; nothing is analysed",
    "shadow": "Copies of 10% of the requests until resumed; responses are discarded",
    "ab_test": "Half of the requests until 1 point fewer errors shows; then an approver ships it",
}


# Further plans that every environment has: its own are named without underscores.
BUILT_IN: dict[str, dict[str, Any]] = {
    **{name: {"strategy": name} for name in PRESETS},
    "canary_paused": {
        "strategy": "canary",
        "steps": [{"set_weight": 10}, {"pause": {}}, {"set_weight": 100}],
    },
}


@dataclass(frozen=True, slots=True)
class Preset:
    """A plan with a name. ``refused`` says what the policy has against it, '' for nothing.

    ``environment`` is the only one that has it, '' for every one.
    """

    name: str
    title: str
    says: str
    plan: dict[str, Any]  # the whole document
    refused: str = ""
    environment: str = ""

    @property
    def key(self) -> str:
        """The name, with the environment where that has it for itself."""
        return f"{self.environment}/{self.name}" if self.environment else self.name


def presets(policy: PolicyRevision | None, environment: Environment) -> list[Preset]:
    """Return the plans of an environment, its own ones first, judged by the gate of ``policy``."""
    document = policy.document if policy else {}
    entry = next((g for g in document.get("gates", ()) if g["gate"] == gate.NAME), None)
    return [
        replace(preset, refused=gate.fault_of(entry, preset.plan) if entry else "")
        for preset in [*own_presets(environment), *common_presets()]
    ]


def common_presets() -> list[Preset]:
    """Return the plans that every environment has."""
    plans = {name: Plan.read(document) for name, document in BUILT_IN.items()}
    return [Preset(name, TITLES[name], SAYS[name], plan.document) for name, plan in plans.items()]


def title_of(plan: Plan) -> str:
    """Return what a plan is called: as the preset whose steps it has, or else by its strategy."""
    alike = [
        name
        for name, document in BUILT_IN.items()
        if document["strategy"] == plan.strategy and Plan.read(document).steps == plan.steps
    ]
    strategy = gate.strategy_title(plan.strategy)
    return TITLES[alike[0]] if alike else strategy[:1].upper() + strategy[1:]


def own_presets(environment: Environment) -> list[Preset]:
    """Return the plans that an environment has for itself, by name."""
    return [
        Preset(name, name, in_a_line(Plan.stored(plan)), plan, environment=environment.name)
        for name, plan in sorted(environment.plans.items())
    ]


def in_a_line(plan: Plan) -> str:
    """Return a plan in a line: its strategy, the weights, and how many of its steps analyse."""
    weights = [f"{percent:g}" for percent in plan.weights]
    strategy = gate.strategy_title(plan.strategy)
    text = f"{strategy[:1].upper()}{strategy[1:]}: {', '.join(weights)}%"
    analyses = sum(isinstance(step, Analysis) for step in plan.steps)
    times = "once" if analyses == 1 else f"{analyses} times"
    return f"{text}, analysed {times}" if analyses else text


def chosen(environment: Environment, plan: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the plan that is asked for: where it names a ``preset``, that one, with what is given
    beside the name in the place of its own.

    Raises :class:`InvalidInput` for a name that the environment does not have.
    """
    document = dict(plan or {})
    if "preset" not in document:
        return document
    name = document.pop("preset")
    known = {**environment.plans, **BUILT_IN}
    if not isinstance(name, str) or name not in known:
        detail = f"must be one of: {', '.join(known)}"
        raise InvalidInput(errors=[FieldError("/plan/preset", detail)])
    return {**known[name], **document}
