"""A release whose policy and decisions were signed with passkeys, for tests that break a part."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from placet_verify.permit.approvers import Signed
from placet_verify.permit.permit import build_permit
from placet_verify.signing import dsse
from placet_verify.signing.keys import KeyRing, PrivateKey
from placet_verify.statements import (
    EnrolmentStatement,
    PasskeyDecision,
    PasskeyPolicy,
    RequestStatement,
    RootEnrolment,
    Statement,
)
from tests.support.authenticator import Authenticator
from tests.support.permits import NOON, Case, Keys, digest_of, valid_case

PINNED = "production"
RULES = [
    {"gate": "approvals", "role": role, "count": 1, "passkey": True}
    for role in ("reviewer", "approver")
]
DOCUMENT: dict[str, Any] = {"version": 1, "expires_after_days": 14, "gates": RULES}


@dataclass(frozen=True)
class Signing:
    """The keys of an installation, and the passkeys of its people.

    The approver was enrolled with the root key, and vouches for the reviewer.
    """

    keys: Keys = field(default_factory=Keys)
    approver: Authenticator = field(default_factory=Authenticator)
    reviewer: Authenticator = field(default_factory=Authenticator)

    @property
    def ring(self) -> KeyRing:
        """The installation's keys, which demand passkeys in production."""
        sealed = self.keys.ring.pin([PINNED]).seal(self.keys.root)
        return KeyRing.open(sealed, self.keys.root.public)

    def signed(
        self, statement: Statement, by: Authenticator | None, key: PrivateKey | None = None
    ) -> Signed:
        """Return ``statement`` signed by a server key, and by a passkey."""
        envelope = statement.sign(key or self.keys.decision)
        return Signed(envelope, by.sign(statement.payload()) if by else None)

    def enrolments(self) -> list[Signed]:
        """Return the enrolments of both people, each behind whoever vouches for it."""
        first = enrolment("per_approver", self.approver)
        return [
            self.signed(first, None, self.keys.root),
            self.signed(
                enrolment("per_reviewer", self.reviewer, "per_approver", self.approver),
                self.approver,
            ),
        ]

    def permit(self, case: Case, **parts: Any) -> str:
        """Return the permit of ``case``, in which each of ``parts`` takes the place of its own."""
        passkeys = {"per_approver": self.approver, "per_reviewer": self.reviewer}
        decisions = [self.signed(one, passkeys[one.person]) for one in case.decisions]
        policy = self.signed(case.policy, self.approver)
        request: dsse.Envelope = case.request.sign(self.keys.decision)
        parts = {"decisions": decisions, "enrolments": self.enrolments(), "policy": policy} | parts
        return build_permit(parts.pop("policy"), request, **parts)

    def case(self) -> Case:
        """Return what both have approved with their passkeys, by a policy published with one."""
        plain = valid_case()
        policy = PasskeyPolicy(
            **{name: getattr(plain.policy, name) for name in POLICY_FIELDS}
            | {"document": DOCUMENT},
            credential=self.approver.credential,
            nonce="policy-nonce-0001",
        )
        request = replace(plain.request, policy_digest=policy.document_digest)
        return Case(policy, request, self.decisions(request))

    def decisions(self, request: RequestStatement) -> list[PasskeyDecision]:
        """Return the assent of both to ``request``."""
        return [
            decision(request, role, by)
            for role, by in (("reviewer", self.reviewer), ("approver", self.approver))
        ]


POLICY_FIELDS = (
    "project",
    "environment",
    "revision_id",
    "number",
    "drafted_by",
    "published_by",
    "at",
)


def decision(request: RequestStatement, role: str, by: Authenticator) -> PasskeyDecision:
    """Return the assent of ``per_<role>``, to be signed with their passkey."""
    return PasskeyDecision.on(
        request,
        verdict="approve",
        person=f"per_{role}",
        role=role,
        nonce=f"{role}-nonce-000001",
        at=NOON + timedelta(hours=1),
        comment_commitment=digest_of(f"comment of the {role}"),
        credential=by.credential,
    )


def enrolment(
    person: str,
    passkey: Authenticator,
    enrolled_by: str = "",
    by: Authenticator | None = None,
) -> EnrolmentStatement:
    """Return the statement that ``person`` signs with ``passkey``; by the root for nobody else."""
    kind = EnrolmentStatement if enrolled_by else RootEnrolment
    return kind(
        person=person,
        passkey=passkey.passkey,
        enrolled_by=enrolled_by,
        credential=by.credential if by else "",
        nonce="enrolment-nonce-01",
        at=NOON - timedelta(days=1),
    )
