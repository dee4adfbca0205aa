"""A release whose glass was broken, and its parts, for tests that break one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from placet_verify.permit.approvers import Signed
from placet_verify.permit.permit import build_permit
from placet_verify.signing.keys import PrivateKey
from placet_verify.statements import BreakGlassStatement, DecisionStatement, RequestStatement
from tests.support.permits import DOCUMENT, NOON, Case, digest_of, valid_case

GLASS = {"people": 2, "hours": 4, "review_days": 3, "skip": ["freeze"], "passkey": False}
UNTIL = NOON + timedelta(hours=4)


@dataclass(frozen=True)
class BrokenCase(Case):
    """A release, and what people signed to break the glass for it."""

    glass: Sequence[BreakGlassStatement] = ()

    def document(self, key: PrivateKey) -> str:
        """Return the permit with every statement signed by ``key``."""
        decisions, glass = (
            [Signed(one.sign(key)) for one in some] for some in (self.decisions, self.glass)
        )
        policy = Signed(self.policy.sign(key))
        return build_permit(policy, self.request.sign(key), decisions, (), glass)

    def opened_again(self, **changes: Any) -> "BrokenCase":
        """Return the case with ``changes`` to the opening, which the others confirm as it is."""
        opening = replace(self.glass[0], **changes)
        others = [replace(one, opening=opening.digest) for one in self.glass[1:]]
        return replace(self, glass=[opening, *others])

    def confirmed_again(self, **changes: Any) -> "BrokenCase":
        """Return the case with ``changes`` to the last confirmation alone."""
        return replace(self, glass=[*self.glass[:-1], replace(self.glass[-1], **changes)])


def broken_case(
    said: Any = GLASS, *, decisions: Sequence[DecisionStatement] = (), **document: Any
) -> BrokenCase:
    """Return a release that a responder opened and an approver confirmed, where the policy says
    ``said`` of it; ``None`` says nothing."""
    case = valid_case()
    whole = DOCUMENT | ({} if said is None else {"break_glass": said}) | document
    policy = replace(case.policy, document=whole)
    request = replace(case.request, policy_digest=policy.document_digest)
    again = [
        replace(one, policy_digest=policy.document_digest, request_digest=request.digest)
        for one in decisions
    ]
    return BrokenCase(policy, request, again, broken_by(request))


def broken_by(request: RequestStatement) -> list[BreakGlassStatement]:
    """Return what the responder and the approver signed."""
    opening = BreakGlassStatement.on(
        request,
        verdict="approve",
        person="per_responder",
        role="responder",
        until=UNTIL,
        opening="",
        nonce="opening-nonce-0001",
        at=NOON,
        comment_commitment=digest_of("it burns"),
    )
    return [opening, confirmed_by(opening, request, "per_approver")]


def confirmed_by(
    opening: BreakGlassStatement, request: RequestStatement, person: str
) -> BreakGlassStatement:
    """Return what ``person`` signed to confirm ``opening``."""
    return BreakGlassStatement.on(
        request,
        verdict="approve",
        person=person,
        role="approver",
        until=opening.until,
        opening=opening.digest,
        nonce=f"{person}-nonce-0001",
        at=NOON + timedelta(minutes=10),
    )
