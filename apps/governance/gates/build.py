"""``build``: built by Placet, in the isolation asked for, and the smoke test passed."""

from collections.abc import Mapping
from typing import Annotated, Any

from apps.builds.rules import BuildState
from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.gates.members import Members
from apps.governance.parts import one_of

NAME = "build"
REPEATABLE = False


class BuildMembers(Members):
    """How it was built, and what the smoke test must have shown at least."""

    isolation: Annotated[str, one_of("any", "bwrap")] = "any"
    smoke_test: Annotated[str, one_of("starts", "equal")] = "starts"


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    return "Built and smoke-tested"


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Look at the build, and at the smoke test that Placet measured on this very Bento."""
    build, test = facts.build, facts.find("smoke_test")
    if (
        build is None
        or build.state != BuildState.SUCCEEDED
        or build.bento_digest != facts.bento_digest
    ):
        return answer(gate, title(gate), "failed", "There is no finished build of this Bento")
    if test is None:
        return answer(gate, title(gate), "failed", "The smoke test has left no evidence")
    result, used = str(test.data.get("result")), {build.isolation, str(test.data.get("isolation"))}
    shown = {"result": result, "isolation": sorted(used)}
    if gate["isolation"] == "bwrap" and used != {"bwrap"}:
        weaker = ", ".join(sorted(u or "none" for u in used - {"bwrap"}))
        reason = f"The policy asks for isolation by bwrap; this was built with: {weaker}"
        return answer(gate, title(gate), "failed", reason, **shown)
    passed = result == "equal" or (result == "starts" and gate["smoke_test"] == "starts")
    return answer(gate, title(gate), "passed" if passed else "failed", _say(test.data), **shown)


def _say(data: Mapping[str, Any]) -> str:
    result, rows, equal = data.get("result"), data.get("rows", 0), data.get("equal", 0)
    if result == "equal":
        return f"{equal} of {rows} expected outputs equal"
    if result == "starts":
        return "It starts and answers; no expected output was given to compare with"
    if result == "different":
        return f"Only {equal} of {rows} outputs are as expected"
    return "The smoke test failed"
