"""The gates a policy may be made of. Pure: no database, no network, no clock of their own.

A gate fails closed. Whatever goes wrong inside one becomes a result that has not passed, with a
sentence; a gate that nobody knows has not passed either.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.governance.gates import (
    approvals,
    build,
    changes,
    evidence,
    expression,
    freeze,
    isolation,
    model_signature,
    plan,
    scan,
    schema,
    soaked,
)
from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.gates.members import Members
from apps.governance.parts import wrong
from placet.kernel.problems import FieldError

__all__ = [
    "BOUND",
    "GATES",
    "Facts",
    "Gate",
    "GateResult",
    "cannot_pass",
    "evaluate",
    "evaluate_all",
    "failing",
    "faults",
    "holding_back",
    "paired",
    "passed",
    "past",
    "read",
]

PINNED = frozenset({"build", "scan", "evidence"})  # gates about what a request is bound to
BOUND = (
    "What failed cannot pass for this request, which is bound to what was known then: mend it, and "
    "request a new one."
)


@dataclass(frozen=True, slots=True)
class Gate:
    """One kind of gate: how a policy writes it, and how it is answered."""

    name: str
    repeatable: bool
    members: type[Members]
    title: Callable[[Mapping[str, Any]], str]
    evaluate: Callable[[Mapping[str, Any], Facts], GateResult]
    past: Callable[[GateResult], str] | None = None  # where what it says does not stay true


_GATES: tuple[tuple[Any, type[Members]], ...] = (
    (build, build.BuildMembers),
    (scan, scan.ScanMembers),
    (model_signature, model_signature.ModelSignatureMembers),
    (evidence, evidence.EvidenceMembers),
    (expression, expression.ExpressionMembers),
    (schema, schema.SchemaMembers),
    (soaked, soaked.SoakedMembers),
    (isolation, isolation.IsolationMembers),
    (plan, plan.PlanMembers),
    (approvals, approvals.ApprovalsMembers),
    (freeze, freeze.FreezeMembers),
)
GATES: dict[str, Gate] = {
    module.NAME: Gate(
        module.NAME,
        module.REPEATABLE,
        members,
        module.title,
        module.evaluate,
        getattr(module, "past", None),
    )
    for module, members in _GATES
}


def read(item: Any) -> dict[str, Any]:
    """Return a gate as a policy stores it, with every default filled in, or raise
    ``ValidationError`` that names each member that is wrong."""
    if not isinstance(item, dict) or "gate" not in item:
        raise wrong(((), Members.EXPECTED))
    kind = GATES.get(item["gate"]) if isinstance(item["gate"], str) else None
    if kind is None:
        raise wrong((("gate",), f"must be one of: {', '.join(GATES)}"))
    return kind.members.model_validate(item).document


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Answer one gate; never raises."""
    name = str(gate.get("gate", ""))
    kind = GATES.get(name)
    if kind is None:
        return answer(gate, name or "Gate", "error", f"There is no gate called {name[:40]!r}")
    try:
        return kind.evaluate(gate, facts)
    except Exception as error:
        reason = f"The gate could not be answered ({type(error).__name__})"
        return answer(gate, name.capitalize(), "error", reason)


def evaluate_all(gates: Iterable[Mapping[str, Any]], facts: Facts) -> list[GateResult]:
    """Answer every gate, and beside them what no policy lets pass; a policy without gates is one
    that has not passed."""
    results = [evaluate(gate, facts) for gate in gates]
    results += changes.held(facts)
    if facts.recalled:
        results.append(answer({"gate": "recall"}, "Not recalled", "failed", facts.recalled))
    if results:
        return results
    return [answer({"gate": "policy"}, "Policy", "error", "The policy has no gates")]


def paired(
    document: Mapping[str, Any], results: Sequence[GateResult]
) -> list[tuple[Mapping[str, Any], GateResult]]:
    """Return each answer behind the gate of a policy's document that it is of; behind an empty one
    what no gate answered, such as a recall or a request for changes."""
    gates: list[Mapping[str, Any]] = [*document["gates"], *({} for _ in results)]
    return list(zip(gates, results, strict=False))


def past(result: GateResult) -> str:
    """Return what a gate said, once nothing waits for its answer any more."""
    kind = GATES.get(result["gate"])
    return kind.past(result) if kind is not None and kind.past else result["reason"]


def passed(results: Iterable[GateResult]) -> bool:
    """Tell whether there is at least one gate and every one has passed, or is stepped over by a
    broken glass."""
    answers = list(results)
    return bool(answers) and not holding_back(answers)


def holding_back(results: Iterable[GateResult]) -> list[GateResult]:
    """Return those that have not passed and that no broken glass steps over."""
    counted = ((True, "passed"), (False, "skipped"))
    return [r for r in results if (r["passed"], r["state"]) not in counted]


def failing(results: Iterable[GateResult]) -> str:
    """Say which gates have failed, and what is to be done; '' where people or time alone are waited
    for."""
    failed = [r for r in holding_back(results) if r["state"] != "waiting"]
    if not failed:
        return ""
    then = BOUND if cannot_pass(failed) else "What failed is to be mended first."
    return f"Gates have failed: {', '.join(r['title'] for r in failed)}. {then}"


def cannot_pass(results: Iterable[GateResult]) -> bool:
    """Tell whether a gate has failed that cannot pass for what was requested: a Bento and what is
    known of it stay as they are."""
    return any(r["gate"] in PINNED and r["state"] == "failed" for r in results)


def faults(results: Iterable[GateResult]) -> list[FieldError]:
    """Return what holds a release back, a fault for each gate."""
    return [FieldError(r["gate"], f"{r['title']}: {r['reason']}") for r in holding_back(results)]
