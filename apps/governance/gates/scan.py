"""``scan``: what the scanner found in the files, without ever loading them."""

from collections.abc import Mapping
from typing import Annotated, Any

from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.gates.members import Members, some_of

NAME = "scan"
REPEATABLE = False
ALLOWABLE = ("safe", "code-carrying")
_SAY = {
    "safe": "Safe to load: the files carry no code",
    "code-carrying": "The files carry code, or types that are not known to be safe: its evidence "
    "says what was found. Never loaded outside sandbox and target",
    "malicious": "The scanner found malicious code: its evidence names the files. Leave them out",
    "unknown": "The scanner could not tell what every file is: its evidence names them and why. "
    "Leave out what the model does not need, or save it anew",
}


class ScanMembers(Members):
    """The verdicts that pass. ``malicious`` and ``unknown`` cannot be allowed."""

    allow: Annotated[list[str], some_of(ALLOWABLE)] = sorted(ALLOWABLE)


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    return "Scanned"


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Compare the verdict with what is allowed."""
    scan = facts.find("scan")
    if scan is None:
        return answer(gate, title(gate), "failed", "The files have not been scanned")
    verdict = str(scan.data.get("verdict"))
    reason = _SAY.get(verdict, f"The scanner gave no verdict that is known: {verdict[:40]}")
    passed = verdict in gate["allow"] and verdict in ALLOWABLE
    if "what_loads_them" in scan.data:
        reason = "Called safe before it was looked at what loads the files: counts as code-carrying"
        reason += "" if passed else ". Build the version anew, and request a release of that build"
    elif not passed and verdict == "code-carrying":
        reason = (
            "The files carry code, or types that are not known to be safe, and this policy allows "
            "only files that do not: its evidence says what was found. Write the model as ONNX, in "
            "its library's own format, or with skops, of the few types that are safe"
        )
    return answer(gate, title(gate), "passed" if passed else "failed", reason, verdict=verdict)
