"""Releases whose glass was broken, forged and not: both verifiers say the same of each.

The Python one is asked here, the other in Chromium.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from placet_verify.permit.approvers import Signed
from placet_verify.statements import BreakGlassStatement, PasskeyBreakGlass
from tests.support.authenticator import Authenticator
from tests.support.break_glass_permits import GLASS, UNTIL
from tests.support.offline import Papers, Second, both
from tests.support.permits import NOON, OTHER, digest_of

pytestmark = pytest.mark.browser
WHO = ("vera", "reviewer", "approver", "responder", "third")


def papers_of(said: Any = GLASS, who: Sequence[str] = ("approver",), **gates: Any) -> Papers:
    """Return a bundle without decisions, whose glass a responder opened and ``who`` confirmed."""
    people = {name: Authenticator() for name in WHO}
    says = {"break_glass": said} if said is not None else {}
    papers = Papers(people=people, policy_says=says | gates)
    papers.enrolments += [papers.enrol(name, "vera") for name in ("responder", "third")]
    papers.decisions = []
    papers.glass = [by(papers, "responder", opening(papers))]
    papers.glass += [by(papers, name, confirmation(papers, name)) for name in who]
    return papers


def by(papers: Papers, who: str, statement: BreakGlassStatement) -> Signed:
    return papers.by_passkey(statement, who)


def opening(papers: Papers, **changes: Any) -> BreakGlassStatement:
    said = {
        "verdict": "approve",
        "person": "per_responder",
        "role": "responder",
        "until": UNTIL,
        "opening": "",
        "nonce": "opening-nonce-0001",
        "at": NOON,
        "comment_commitment": digest_of("it burns"),
        "credential": papers.people["responder"].credential,
    } | changes
    return PasskeyBreakGlass.on(papers.asked, **said)


def confirmation(papers: Papers, who: str, **changes: Any) -> BreakGlassStatement:
    opened = PasskeyBreakGlass.parse(papers.glass[0].envelope.payload)
    said: dict[str, Any] = {
        "verdict": "approve",
        "person": f"per_{who}",
        "role": "approver",
        "until": opened.until,
        "opening": opened.digest,
        "nonce": f"{who}-glass-nonce-1",
        "at": NOON + timedelta(minutes=5),
        "credential": papers.people[who].credential,
    }
    return replace(PasskeyBreakGlass.on(papers.asked, **said), **changes)


def opened(**changes: Any) -> Callable[[Papers], None]:
    """Have it opened otherwise, and confirmed as it is then."""

    def spoil(papers: Papers) -> None:
        papers.glass = [by(papers, "responder", opening(papers, **changes))]
        papers.glass.append(by(papers, "approver", confirmation(papers, "approver")))

    return spoil


def confirmed(**changes: Any) -> Callable[[Papers], None]:
    def spoil(papers: Papers) -> None:
        papers.glass[1] = by(papers, "approver", confirmation(papers, "approver", **changes))

    return spoil


def without_passkey(papers: Papers) -> None:
    members = PasskeyBreakGlass.parse(papers.glass[1].envelope.payload)
    names = [field.name for field in fields(BreakGlassStatement)]
    plain = BreakGlassStatement(**{name: getattr(members, name) for name in names})
    papers.glass[1] = Signed(plain.sign(papers.keys.decision))


def by_another_passkey(papers: Papers) -> None:
    envelope = papers.glass[1].envelope
    papers.glass[1] = Signed(envelope, Authenticator().sign(envelope.payload))


def a_decision_as_glass(papers: Papers) -> None:
    papers.glass[1] = papers.decide("approver")


def a_glass_as_decision(papers: Papers) -> None:
    papers.decisions = [papers.glass.pop()]


def rejected_before(papers: Papers) -> None:
    papers.decisions = [papers.decide("reviewer", verdict="reject")]


def held_before(papers: Papers) -> None:
    papers.decisions = [papers.decide("reviewer", verdict="request_changes")]


def approved_before(papers: Papers) -> None:
    papers.decisions = [papers.decide("reviewer"), papers.decide("approver")]


def as_version_two(papers: Papers) -> None:
    papers.glass = []


FORGED: list[tuple[str, Callable[[Papers], Any], str]] = [
    ("nothing", lambda p: None, ""),
    ("approvals beside it", approved_before, ""),
    ("a rejection beside it", rejected_before, "rejected"),
    ("changes asked for beside it", held_before, "changes_requested"),
    ("left out", as_version_two, "quorum"),
    ("one person", lambda p: p.glass.pop(), "quorum"),
    ("nobody who opened it", lambda p: p.glass.pop(0), "opening"),
    ("the same one twice", lambda p: p.glass.append(p.glass[1]), "person_twice"),
    ("both by one", confirmed(person="per_responder"), "other_person"),
    ("opened by an approver", opened(role="approver"), "opening"),
    ("confirmed by a reviewer", confirmed(role="reviewer"), "quorum"),
    ("too long", opened(until=UNTIL + timedelta(microseconds=1)), "too_long"),
    ("over before it began", opened(until=NOON - timedelta(seconds=1)), "too_short"),
    ("another time", confirmed(until=UNTIL + timedelta(hours=1)), "other_opening"),
    ("another opening", confirmed(opening=digest_of("another")), "other_opening"),
    ("too late", confirmed(at=UNTIL + timedelta(seconds=1)), "confirmed_too_late"),
    ("too early", confirmed(at=NOON - timedelta(seconds=1)), "confirmed_too_late"),
    ("a nonce again", confirmed(nonce="opening-nonce-0001"), "nonce_twice"),
    ("a short nonce", confirmed(nonce="short"), "weak_nonce"),
    ("another Bento", confirmed(bento_digest=OTHER["bento_digest"]), "bound_differs"),
    ("another place", confirmed(environment="staging"), "bound_differs"),
    ("another request", confirmed(request_digest=digest_of("x")), "other_request"),
    ("no passkey", without_passkey, "quorum"),
    ("another's passkey", by_another_passkey, "other_passkey"),
    ("an approval for it", a_decision_as_glass, "wrong_type"),
    ("it for an approval", a_glass_as_decision, "wrong_type"),
]


@pytest.mark.parametrize(("spoil", "code"), [pytest.param(*row[1:], id=row[0]) for row in FORGED])
def test_both_say_the_same_of_a_broken_glass(
    second: Second, spoil: Callable[[Papers], Any], code: str
) -> None:
    papers = papers_of()
    spoil(papers)
    assert both(second, papers.files(), papers.root).code == code


SAID: list[tuple[Any, str]] = [
    (None, "no_break_glass"),
    ({}, ""),
    ([], "malformed"),
    ({"people": 1}, "malformed"),
    ({"people": 3}, "quorum"),
    ({"people": True}, "malformed"),
    ({"hours": 73}, "malformed"),
    ({"hours": 3}, "too_long"),
    ({"skip": ["scan"]}, "malformed"),
    ({"skip": ["approvals"]}, "malformed"),
    ({"skip": ["freeze", "soaked"]}, ""),
    ({"passkey": 1}, "malformed"),
    ({"passkey": True}, ""),
]


@pytest.mark.parametrize(("said", "code"), SAID, ids=[str(said) for said, _ in SAID])
def test_both_read_a_policy_alike(second: Second, said: Any, code: str) -> None:
    papers = papers_of(said)
    assert both(second, papers.files(), papers.root).code == code


def test_both_count_three_where_three_are_needed(second: Second) -> None:
    papers = papers_of(GLASS | {"people": 3}, who=("approver", "third"))
    answer = both(second, papers.files(), papers.root)
    assert answer.code == ""
    lines = [line for line in answer.lines if line.startswith("break-glass: ")]
    assert len(lines) == 3
    assert "per_responder as responder opened it at 2026-11-25T12:00:00" in lines[0]
    assert any("its break-glass of 3 people" in line for line in answer.lines)


def test_where_the_root_demands_passkeys_both_count_only_those(second: Second) -> None:
    papers = papers_of()
    papers.keys_document = papers.keys.ring.pin(["production"]).seal(papers.keys.root)
    assert both(second, papers.files(), papers.root).code == ""
    without_passkey(papers)
    assert both(second, papers.files(), papers.root).code == "quorum"


def test_what_is_signed_twice_in_one_release_is_noticed(second: Second) -> None:
    """A responder who is nobody's opener: a second opening beside the first."""
    papers = papers_of()
    other = opening(
        papers,
        person="per_third",
        nonce="another-nonce-0001",
        credential=papers.people["third"].credential,
    )
    papers.glass.append(by(papers, "third", other))
    assert both(second, papers.files(), papers.root).code == "opening"
