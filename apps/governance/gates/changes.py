"""``changes``: no request for changes stands. It answers beside the gates of every policy, none of
which names it or lets a release past it; an emergency does not either."""

from collections import Counter

from apps.governance.gates.approvals import people
from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.rules import CHANGES
from placet_verify.statements import REQUEST_CHANGES

TITLE = "No changes requested"


def held(facts: Facts) -> list[GateResult]:
    """Say who holds the release; nothing where nobody does."""
    asking = [d for d in facts.decisions if d.verdict == REQUEST_CHANGES]
    if not asking:
        return []
    roles = sorted(Counter(d.role for d in asking).items())
    who = " and ".join(people(count, role) for role, count in roles).capitalize()
    by = sorted({d.person for d in asking})
    return [answer({"gate": CHANGES}, TITLE, "waiting", f"{who} requested changes", by=by)]
