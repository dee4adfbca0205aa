"""What a policy says of breaking the glass: whether at all, and within which bounds.

::

    break_glass:
      people: 2            # in all: a responder opens it, the others confirm it as approvers
      hours: 4             # at most so long can what was opened be started
      review_days: 3       # within which somebody else closes the review
      skip: [freeze, soaked]   # gates that need not have passed, besides the approvals
      passkey: true        # counts only signed with passkeys (so it is where an approval does)

Left out, nobody can. What it skips is read from this list alone; the build, the scan, the model's
signature and a recall cannot be on it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.governance.gates.facts import Facts, GateResult
from placet_verify.numbers import is_whole
from placet_verify.permit.break_glass import DEFAULT_HOURS, FEWEST, LONGEST_HOURS, MOST, SKIPPABLE

DEFAULT_REVIEW_DAYS = 3
APPROVALS = "approvals"
_WHOLE = {  # the bounds of each, and what it is when left out
    "people": (FEWEST, MOST, FEWEST),
    "hours": (1, LONGEST_HOURS, DEFAULT_HOURS),
    "review_days": (1, 30, DEFAULT_REVIEW_DAYS),
}


def normalise(raw: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the document with its defaults filled in, and what is wrong with it, by member."""
    if not isinstance(raw, dict):
        detail = "must be a mapping, {people: 2, hours: 4}: leave it out where nobody may"
        return {}, [("", detail)]
    known = {*_WHOLE, "skip", "passkey"}
    faults = [(name, "is not a member of break_glass") for name in raw if name not in known]
    found: dict[str, Any] = {}
    for name, (low, high, usual) in _WHOLE.items():
        value = found[name] = raw.get(name, usual)
        if not is_whole(value, low, high):
            faults.append((name, f"must be a whole number from {low} to {high}"))
    skip = raw.get("skip", [])
    names = skip if isinstance(skip, list) else [None]
    if not all(isinstance(name, str) and name in SKIPPABLE for name in names):
        detail = f"must be a list of: {', '.join(SKIPPABLE)}. Nobody gets past any other gate"
        faults.append(("skip", detail))
    else:
        found["skip"] = sorted(set(names))
    found["passkey"] = raw.get("passkey", False)
    if not isinstance(found["passkey"], bool):
        faults.append(("passkey", "must be true or false"))
    return found, faults


def title(said: Mapping[str, Any]) -> str:
    """Return what a policy says of it in one line."""
    hours = said["hours"]
    line = f"Break-glass: {said['people']} people, for {hours} hour{'s' * (hours != 1)} at most"
    return f"{line}, without {', '.join(said['skip'])}" if said["skip"] else line


def skipped(
    results: Sequence[GateResult], document: Mapping[str, Any], facts: Facts
) -> list[GateResult]:
    """Return the answers of the gates with those that a broken glass steps over marked so.

    Only what has not passed is marked, only where the policy of the release lets people break the
    glass, and only what that policy names.
    """
    said = document.get("break_glass")
    if not facts.broken_glass or not isinstance(said, Mapping):
        return list(results)
    over = {APPROVALS, *(name for name in said.get("skip", ()) if name in SKIPPABLE)}
    return [_skipped(r) if r["gate"] in over and not r["passed"] else r for r in results]


def _skipped(result: GateResult) -> GateResult:
    reason = f"Not asked, because the glass is broken. {result['reason']}"
    return GateResult({**result, "state": "skipped", "reason": reason})
