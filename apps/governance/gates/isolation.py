"""``isolation``: a replica is kept from the network, and from what else runs on its host."""

from collections.abc import Mapping
from typing import Annotated, Any

from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.gates.members import Members
from apps.governance.parts import one_of
from apps.serving.marks import marks
from placet_verify.permit.serving import ServingRefused, network

NAME = "isolation"
REPEATABLE = False
OLDER = "It was asked for under earlier rules, with the host's network: ask for it again"


class IsolationMembers(Members):
    """``network``: ``own`` (the node gives each replica a network namespace), or ``any``: only
    what was asked for under earlier rules does not pass. ``private: refused``: nor does what names
    a private, link-local or metadata address."""

    network: Annotated[str, one_of("own", "any")] = "own"
    private: Annotated[str | None, one_of("allowed", "refused")] = None


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    own = gate["network"] == "own"
    said = "A network of its own" if own else "Isolated by today's rules"
    return f"{said}, no private address" if gate.get("private") == "refused" else said


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Look at the release and at what the target's node last said; silence does not pass."""
    shown = {"network": facts.network or "unknown"}
    try:
        reaches = network(facts.serving)
    except ServingRefused as refusal:
        return answer(gate, title(gate), "failed", refusal.sentence, **shown)
    if "egress" not in facts.serving:
        return answer(gate, title(gate), "failed", OLDER, **shown)
    if gate.get("private") == "refused" and (found := marks(facts.serving["egress"])):
        reason = f"{'; '.join(found)}: this policy lets no such address be reached"
        return answer(gate, title(gate), "failed", reason, **shown)
    if gate["network"] == "any" or facts.network == "own":
        return answer(gate, title(gate), "passed", f"It {reaches}", **shown)
    return answer(gate, title(gate), "failed", _why_not(facts.network), **shown)


def _why_not(found: str | None) -> str:
    if found is None:
        return "No node of the target has reported whether it can give a replica a network"
    if found == "host":
        return "The target's node can give no network of its own: replicas share the host's"
    return "The target's node does not say whether it gives replicas a network: upgrade its agent"
