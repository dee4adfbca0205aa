"""``evidence``: a kind of evidence is there, from the right source, and fresh enough."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.gates.members import Members, or_null
from apps.governance.parts import one_of, whole

NAME = "evidence"
REPEATABLE = True
KINDS = (
    "metrics",
    "scan",
    "model_signature",
    "smoke_test",
    "acceleration",
    "load_test",
    "sbom",
    "fairness",
    "explainability",
    "data_quality",
    "model_card",
    "document",
)


class EvidenceMembers(Members):
    """What kind of evidence, from whom, and how old it may be."""

    kind: Annotated[str, one_of(*KINDS)]
    source: Annotated[str, one_of("any", "reported", "measured")] = "any"
    fresher_than_days: Annotated[int | None, or_null(whole(1, 3650))] = None


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    return f"Evidence: {str(gate['kind']).replace('_', ' ')}"


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Look for it among what was pinned at the request."""
    kind, source = str(gate["kind"]).replace("_", " "), gate["source"]
    found = facts.find(gate["kind"], source)
    if found is None:
        which = "" if source == "any" else f"{source} "
        none = f"There is no {which}{kind} evidence"
        if gate["kind"] == "model_card" and source != "reported":
            none = "Placet took down no model card of it: write one, or save it once more"
        return answer(gate, title(gate), "failed", none)
    age = facts.now - found.created_at
    shown = {"digest": found.digest, "source": found.source, "days": age.days}
    limit = gate.get("fresher_than_days")
    when = "today" if age.days == 0 else f"{age.days} day{'s' * (age.days != 1)} ago"
    if limit is not None and age > timedelta(days=limit):
        reason = f"It is from {when}; the policy wants it at most {limit} days old"
        return answer(gate, title(gate), "failed", reason, **shown)
    reason = f"{found.source.capitalize()} {when}"
    return answer(gate, title(gate), "passed", reason, **shown)
