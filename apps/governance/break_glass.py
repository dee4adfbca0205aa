"""What a policy says of breaking the glass: whether at all, and within which bounds.

::

    break_glass:
      people: 2            # in all: a responder opens it, the others confirm it as approvers
      hours: 4             # at most so long can what was opened be started
      review_days: 3       # within which somebody else closes the review
      skip: [freeze, soaked]   # gates that need not have passed, besides the approvals
      passkey: true        # counts only signed with passkeys (so it is where an approval does)

Left out, nobody can. What it skips is read from this list alone; the build, the scan, the model's
signature, the isolation and a recall cannot be on it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import ValidationInfo

from apps.governance.gates.facts import Facts, GateResult
from apps.governance.parts import Part, ReadBy, rule, whole, wrong
from placet_verify.permit.break_glass import DEFAULT_HOURS, FEWEST, LONGEST_HOURS, MOST, SKIPPABLE

APPROVALS = "approvals"


def _skip(value: Any, _: ValidationInfo) -> list[str]:
    if not isinstance(value, list) or not all(name in SKIPPABLE for name in value):
        detail = f"must be a list of: {', '.join(SKIPPABLE)}. No other gate can be bypassed"
        raise wrong(((), detail))
    return sorted(set(value))


class BreakGlassTerms(Part):
    """How a policy lets people break the glass."""

    EXPECTED = "must be a mapping, {people: 2, hours: 4}: leave it out to allow none"
    UNKNOWN = "is not a member of break_glass"
    people: Annotated[int, whole(FEWEST, MOST)] = FEWEST
    hours: Annotated[int, whole(1, LONGEST_HOURS)] = DEFAULT_HOURS
    review_days: Annotated[int, whole(1, 30)] = 3
    skip: Annotated[list[str], ReadBy(_skip)] = []
    passkey: Annotated[bool, rule(lambda v: isinstance(v, bool), "must be true or false")] = False


def title(said: Mapping[str, Any]) -> str:
    """Return what a policy says of it in one line."""
    hours = said["hours"]
    span = f"{hours} hour{'s' * (hours != 1)}"
    line = f"Emergency release: {said['people']} people, for {span} at most"
    return f"{line}, without {', '.join(said['skip'])}" if said["skip"] else line


def skipped(
    results: Sequence[GateResult], document: Mapping[str, Any], facts: Facts
) -> list[GateResult]:
    """Return the answers of the gates with those that a broken glass steps over marked so.

    Only what has not passed is marked, only where the policy of the release lets people break the
    glass, and only what that policy names.
    """
    terms = document.get("break_glass")
    if not facts.broken_glass or not isinstance(terms, Mapping):
        return list(results)
    over = {APPROVALS, *(name for name in terms.get("skip", ()) if name in SKIPPABLE)}
    return [_skipped(r) if r["gate"] in over and not r["passed"] else r for r in results]


def _skipped(result: GateResult) -> GateResult:
    reason = f"Bypassed by an emergency release. {result['reason']}"
    return GateResult({**result, "state": "skipped", "reason": reason})
