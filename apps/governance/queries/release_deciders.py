"""Who may still decide on a release, whether they are enough, and what the reader can do there."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from apps.governance import gates, rules
from apps.governance.gates.facts import GateResult
from apps.governance.independence import sentence
from apps.governance.models import Release
from apps.governance.queries.facts import had_decided, had_lifted
from apps.governance.queries.lifting import DECIDES, lifting_of
from apps.governance.queries.people import (
    NamedPerson,
    ReleasePeople,
    barred,
    empty_seats,
    may_decide_again,
    may_still_decide,
    who_opens,
)
from apps.governance.queries.review_requests import may_be_asked, reviewers_of
from apps.governance.queries.standing import Standings, standings
from apps.governance.queries.visible_rows import held_roles
from apps.governance.rules import ReleaseState
from apps.governance.seats import shortages
from apps.identity.queries import scope_of
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet_verify.statements import REQUEST_CHANGES


def around_decision(
    row: Any,
    people: ReleasePeople,
    results: Sequence[GateResult],
    decisions: Sequence[Any],
    actor: Actor,
    facts: gates.Facts,
) -> dict[str, Any]:
    """Return who may still decide, who may not though their role is missing, who was asked by name,
    and what the reader's approval would change. The ``decisions`` were read with who lifts them."""
    missing = rules.missing_roles(results) if row.state == ReleaseState.REQUESTED else set()
    standing = [d for d in decisions if not d.voided_reason]
    asking = {d.person: d.pk for d in standing if d.verdict == REQUEST_CHANGES}
    decided = [d.person for d in standing if d.person not in asking]
    known = _standings(row, people, actor)
    left = [
        replace(p, has_asked=p.id in asking)
        for p in people.deciders
        if missing and p.id not in decided
    ]
    again = [replace(p, has_asked=True) for p in people.deciders if p.id in _lifting(row, standing)]
    role = _as(row, actor, results, decided, known)
    yours = known.approval(row, actor.id, role) if role else None
    by_gate = who_opens(row, left, results=results, known=known, actor=actor)
    return {
        "who_opens": tuple(by_gate),
        "may_still_decide": tuple(may_still_decide(left, by_gate, results)),
        "may_decide_again": tuple(may_decide_again(again, by_gate, results)),
        "lifting": lifting_of(row, standing, people.deciders, results, known, people.names, actor),
        "reviewers": tuple(reviewers_of(row, row.reviewing, decisions, people.deciders, known)),
        "may_be_asked": tuple(may_be_asked(row, people.deciders, decided=decided, known=known)),
        "cannot_count": tuple(barred(row, left, missing=missing, known=known)),
        "once_you_lift": tuple(had_lifted(row, facts, actor.id)) if actor.id in asking else (),
        "your_request": asking.get(actor.id, "") if row.state == ReleaseState.REQUESTED else "",
        "missing_roles": tuple(sorted(missing)),
        "too_few_people": _too_few(row, left, results, known),
        "you_decide_as": role,
        "once_you_approve": tuple(had_decided(row, facts, yours)) if yours else (),
        "you_cannot_count": _you(row, actor, decided, missing, known),
    }


def _lifting(row: Release, standing: Sequence[Any]) -> set[str]:
    """Return who asked for changes, and can decide again now."""
    waits = row.state == ReleaseState.REQUESTED
    return {d.person for d in standing if waits and d.lifts == DECIDES}


def _too_few(
    row: Release,
    left: Sequence[NamedPerson],
    results: Sequence[GateResult],
    known: Standings,
) -> str:
    """Say that too few people could decide for what is missing; '' where they are enough."""
    names = {person.id: person.name for person in left}
    waits = row.state == ReleaseState.REQUESTED
    found = shortages(empty_seats(row, left, results, known)) if waits else []
    return ". ".join(short.said(names) for short in found)


def _standings(row: Release, people: ReleasePeople, actor: Actor) -> Standings:
    """Return how everybody stands who may be asked to decide, while anybody may."""
    if row.state != ReleaseState.REQUESTED:
        return Standings()
    around = {actor.accountable, *(p.id for p in people.deciders)}
    return standings([row], around, [p.id for p in people.deciders if p.is_recalled])


def _may_act(row: Release, actor: Actor, decided: list[str]) -> bool:
    """Tell whether the reader could decide now, if their role and where they stand let them."""
    late = row.not_after <= clock.now()
    if not actor.in_session or row.state != ReleaseState.REQUESTED or late:
        return False
    return actor.id not in decided


def _as(
    row: Release,
    actor: Actor,
    results: Sequence[GateResult],
    decided: list[str],
    known: Standings,
) -> str:
    """Return the role as which the reader would decide now, '' when they may not."""
    if not _may_act(row, actor, decided):
        return ""
    decider = known.decider(row, actor.accountable)
    return decider.role(held_roles(actor, scope_of(row)), results)


def _you(
    row: Release, actor: Actor, decided: list[str], missing: set[str], known: Standings
) -> str:
    """Say why the reader, whose role is missing, cannot count; '' when they can, or hold none."""
    if not _may_act(row, actor, decided):
        return ""
    held = held_roles(actor, scope_of(row)) & missing
    why = known.decider(row, actor.accountable).why_not(held)
    return sentence("You", why) if why else ""
