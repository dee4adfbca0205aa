"""``model_signature``: whoever made the model signed its files with a key the project trusts."""

from collections.abc import Mapping
from typing import Annotated, Any

from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.gates.members import Members, names, or_null

NAME = "model_signature"
REPEATABLE = False


class ModelSignatureMembers(Members):
    """The labels of the keys that count; all of the project's when left out."""

    signers: Annotated[list[str] | None, or_null(names())] = None


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    wanted = gate.get("signers")
    return f"Model signed by {' or '.join(wanted)}" if wanted else "Model signed by a trusted key"


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Look up whose signature Placet found; a key revoked since counts no more."""
    found = facts.find("model_signature")
    if found is None:
        return answer(gate, title(gate), "failed", "The version came without a model.sig")
    if found.data.get("result") != "trusted":
        reason = "Its model.sig is by a key that the project did not trust when it came"
        return answer(gate, title(gate), "failed", reason)
    signers = [s for s in facts.signers if s.fingerprint == found.data.get("key")]
    if not signers:
        return answer(gate, title(gate), "failed", "The project knows no key that signed it")
    label, wanted = signers[0].label, gate.get("signers")
    if signers[0].revoked:
        reason = f"The key {label}, which signed it, was revoked"
    elif wanted and label not in wanted:
        reason = f"It is signed by {label}, and the policy asks for {' or '.join(wanted)}"
    else:
        return answer(gate, title(gate), "passed", f"Signed by {label}", signer=label)
    return answer(gate, title(gate), "failed", reason, signer=label)
