"""Plans that are ready to be chosen, and which of them an environment's policy lets through."""

from dataclasses import dataclass

from apps.governance import plans
from apps.governance.gates import plan as gate
from apps.governance.models import PolicyRevision

TITLES = {
    "replace": "Replace",
    "blue_green": "Blue/green",
    "canary": "Careful canary",
    "shadow": "Shadow",
    "ab_test": "A/B test",
}
SAYS = {
    "replace": "All requests at once, when every replica is ready",
    "blue_green": "Made ready beside what serves; a person moves all requests at once",
    "canary": "1, 5, 25, 50 and 100 %, each analysed before the next",
    "shadow": "Copies of 10 % of the requests, until a person goes on; nobody gets their answers",
    "ab_test": "Half of the requests until one point fewer errors shows; then an approver ships it",
}


@dataclass(frozen=True, slots=True)
class Preset:
    """A plan with a name. ``refused`` says what the policy has against it, '' for nothing."""

    name: str
    title: str
    says: str
    plan: plans.Plan
    refused: str


def presets(policy: PolicyRevision | None) -> list[Preset]:
    """Return every preset, judged by the plan gate of ``policy``."""
    document = policy.document if policy else {}
    asked = next((g for g in document.get("gates", ()) if g["gate"] == gate.NAME), None)
    made = {name: plans.plan({"strategy": name}) for name in plans.PRESETS}
    return [
        Preset(name, TITLES[name], SAYS[name], plan, gate.fault_of(asked, plan) if asked else "")
        for name, plan in made.items()
    ]
