"""Counting a broken glass: what the policy allows beforehand, and whether people kept to it.

A policy that says ``break_glass`` lets one release start without its whole quorum: one person opens
it as responder, with a reason and a time limit, and others confirm exactly that as approvers. Where
the policy does not say so nobody can, whatever is signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from placet_verify import times
from placet_verify.errors import Malformed, Refused
from placet_verify.numbers import is_whole
from placet_verify.permit.quorum import ApprovalRule, approval_rules, tally
from placet_verify.statements import BreakGlassStatement, RequestStatement

OPENER, CONFIRMER = "responder", "approver"
FEWEST, MOST, LONGEST_HOURS = 2, 5, 72
DEFAULT_HOURS = 4
# Whatever a policy says, nobody gets past the build, the scan, the model's signature, the
# isolation or a recall.
SKIPPABLE = ("evidence", "expression", "freeze", "plan", "schema", "soaked")


@dataclass(frozen=True, slots=True)
class BreakGlassRule:
    """What a policy says of breaking the glass."""

    people: int
    hours: int
    passkey: bool
    skip: tuple[str, ...]

    @property
    def rules(self) -> tuple[ApprovalRule, ApprovalRule]:
        """The reduced quorum: who opens it may have asked for the release, who confirms not."""
        opener = ApprovalRule(OPENER, 1, False, False, self.passkey)
        return opener, ApprovalRule(CONFIRMER, self.people - 1, True, True, self.passkey)


def break_glass_rule(document: dict[str, Any]) -> BreakGlassRule | None:
    """Return what a policy document says of breaking the glass; ``None`` where it is not allowed.

    Passkeys are demanded where the document says so here, or in any of its ``approvals`` gates.
    """
    members = document.get("break_glass")
    if members is None:
        return None
    if not isinstance(members, dict):
        raise Malformed("break_glass must be an object")
    people, hours = members.get("people", FEWEST), members.get("hours", DEFAULT_HOURS)
    passkey, skip = members.get("passkey", False), members.get("skip", [])
    if not is_whole(people, FEWEST, MOST) or not is_whole(hours, 1, LONGEST_HOURS):
        raise Malformed("break_glass needs 2 to 5 people and 1 to 72 hours")
    if not isinstance(passkey, bool):
        raise Malformed("passkey of break_glass is true or false")
    if not isinstance(skip, list) or not all(name in SKIPPABLE for name in skip):
        raise Malformed("break_glass skips a gate that nobody gets past")
    demanded = passkey or any(rule.passkey for rule in approval_rules(document))
    return BreakGlassRule(people, hours, demanded, tuple(skip))


def check(
    statements: Sequence[BreakGlassStatement],
    document: dict[str, Any],
    request: RequestStatement,
    passkeys: frozenset[str],
) -> None:
    """Raise :class:`Refused` unless these people broke the glass as ``document`` lets them.

    That each is on this request, binds all of it and is of a person of its own is checked already.
    """
    rule = break_glass_rule(document)
    if rule is None:
        raise Refused("no_break_glass", "the policy lets nobody break the glass")
    openings = [one for one in statements if not one.opening]
    if len(openings) != 1 or openings[0].role != OPENER:
        raise Refused("opening", f"one {OPENER} must have opened the break-glass")
    _check_times(openings[0], rule)
    for one in statements:
        if one is not openings[0]:
            _check_confirmed(one, openings[0])
    counts = tally(
        rule.rules,
        requester=request.requester,
        author=request.author,
        approvals=[(one.person, one.role) for one in statements],
        passkeys=passkeys,
    )
    for count in counts:
        if not count.met:
            raise Refused(
                "quorum",
                f"to break the glass the policy needs {count.rule.count} {count.rule.role}(s)"
                f"{' with a passkey' if count.rule.passkey else ''}; {len(count.people)} count(s)",
            )


def _check_times(opening: BreakGlassStatement, rule: BreakGlassRule) -> None:
    if opening.until > opening.at + timedelta(hours=rule.hours):
        raise Refused("too_long", f"the break-glass lasts longer than {rule.hours} hours")
    if opening.until < opening.at:
        raise Refused("too_short", "the break-glass ended before it was opened")


def _check_confirmed(one: BreakGlassStatement, opening: BreakGlassStatement) -> None:
    if one.opening != opening.digest or one.until != opening.until:
        raise Refused("other_opening", f"{one.person} confirmed another break-glass")
    if not opening.at <= one.at <= opening.until:
        when = times.rfc3339(opening.until)
        raise Refused("confirmed_too_late", f"{one.person} did not confirm it before {when}")
