"""``approvals``: so many people of a role have approved, none of them the requester or author."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import model_validator

from apps.governance.approvals import count as count_decisions
from apps.governance.gates.facts import Facts, GateResult, answer
from apps.governance.gates.members import Members, flag
from apps.governance.independence import FLAGS, TITLES
from apps.governance.parts import one_of, rule, whole, wrong
from apps.governance.rules import ROLE_OF
from placet_verify.numbers import is_whole
from placet_verify.permit.quorum import gate_rules
from placet_verify.permit.standing import SECOND_LINE
from placet_verify.statements import APPROVE, REQUEST_CHANGES

NAME = "approvals"
REPEATABLE = True
COUNT = 1, 20
SECOND_LINE_IS = "must be all, or a whole number up to the count"
_NUMBERS = ("no", "one", "two", "three", "four", "five")


class ApprovalsMembers(Members):
    """How many of which role, whether requester and author are excluded (they are), whether only
    what was signed with a passkey counts, and the rules about independence."""

    role: Annotated[str, one_of(*ROLE_OF.values())]
    count: Annotated[int, whole(*COUNT)] = 1
    exclude_requester: Annotated[bool, flag()] = True
    exclude_author: Annotated[bool, flag()] = True
    passkey: Annotated[bool | None, flag()] = None
    other_reporting_line: Annotated[bool | None, flag()] = None
    not_last_touched: Annotated[bool | None, flag()] = None
    not_data_owner: Annotated[bool | None, flag()] = None
    not_code_author: Annotated[bool | None, flag()] = None
    second_line: Annotated[
        int | str | None, rule(lambda v: v == "all" or is_whole(v, *COUNT), SECOND_LINE_IS)
    ] = None

    @model_validator(mode="after")
    def _so_many_there_are(self) -> Self:
        if isinstance(self.second_line, int) and self.second_line > self.count:
            raise wrong(((SECOND_LINE,), SECOND_LINE_IS))
        return self


def title(gate: Mapping[str, Any]) -> str:
    """Return the line of the checklist."""
    said = [" by passkey" if gate.get("passkey") else ""]
    second = gate.get(SECOND_LINE)
    if second == "all" or second == gate["count"]:
        said.append(" of the second line")
    elif second:
        said.append(f", {people(second)} of the second line")
    said += [f", {TITLES[name]}" for name in FLAGS if gate.get(name)]
    return people(gate["count"], gate["role"]).capitalize() + "".join(said)


def evaluate(gate: Mapping[str, Any], facts: Facts) -> GateResult:
    """Say how many people are missing; a rejection outweighs every approval."""
    role, count = gate["role"], gate["count"]
    against = (d for d in facts.decisions if d.verdict not in (APPROVE, REQUEST_CHANGES))
    rejected = {d.role for d in against}
    counts = count_decisions(gate_rules(gate), facts.decisions, facts.parties)
    by = sorted({person for one in counts for person in (*one.people, *one.spare)})
    second = sum(one.missing for one in counts if SECOND_LINE in one.rule.demands)
    missing = sum(one.missing for one in counts)
    shown = {"role": role, "count": count, "by": by, "missing": missing}
    if second:
        shown["second_line_missing"] = second
    if rejected:
        whose = "" if role in rejected else f" as {' and '.join(sorted(rejected))}"
        return answer(gate, title(gate), "failed", f"Rejected{whose}", **shown)
    if missing:
        reason = f"Waiting for {people(missing, role)}"
        if second:
            some = f", {people(second)}" if second < missing else ""
            reason += f"{some} of the second line"
        if by:
            reason += f"; {len(by)} of {count} approved"
        return answer(gate, title(gate), "waiting", reason, **shown)
    reason = f"Approved by {people(len(by), role)}"
    return answer(gate, title(gate), "passed", reason, **shown)


def past(result: GateResult) -> str:
    """Return what it said once nothing waits for it any more: who was missing then."""
    if result["state"] != "waiting":
        return result["reason"]
    facts = result["facts"]
    missing, given = facts.get("missing", 1), len(facts.get("by", ()))
    said = f"{people(missing, facts.get('role', 'person'))} {'was' if missing == 1 else 'were'}"
    return f"{said.capitalize()} missing; {given} of {facts.get('count', missing)} approved"


def people(count: int, role: str = "") -> str:
    """Return how many people of a role there are, the few in words: ``two reviewers``."""
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} {role}{'s' * (count != 1)}" if role else number
