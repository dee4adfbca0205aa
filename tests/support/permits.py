"""A valid permit and its parts, for tests that break one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from placet_verify import canonical
from placet_verify.permit.approvers import Signed
from placet_verify.permit.permit import Expected, build_permit
from placet_verify.signing.keys import KeyPurpose, KeyRing, PrivateKey, make_ring
from placet_verify.statements import DecisionStatement, PolicyStatement, RequestStatement

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SERVING = {"replicas": 1, "memory_mb": 1024, "variables": {}, "egress": []}
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "expires_after_days": 14,
    "gates": [
        {"gate": "build"},
        {"gate": "approvals", "role": "reviewer", "count": 1},
        {"gate": "approvals", "role": "approver", "count": 1},
    ],
}


def digest_of(text: str) -> str:
    """Return a digest that stands for a thing called ``text``."""
    return canonical.digest(text.encode())


# Another value for everything that a request binds.
OTHER: dict[str, Any] = {
    "release": "rel_2",
    "project": "prj_2",
    "environment": "staging",
    "endpoint": "end_2",
    "artifact_digest": digest_of("another artifact"),
    "bento_digest": digest_of("another Bento"),
    "policy_id": "pol_2",
    "policy_number": 2,
    "policy_digest": digest_of("another policy"),
    "plan_digest": digest_of("another plan"),
    "serving": {"replicas": 2, "memory_mb": 1024, "variables": {}},
    "requester": "per_somebody",
    "author": "per_somebody",
    "not_after": NOON + timedelta(days=13),
}


@dataclass(frozen=True)
class Keys:
    """The private keys of an installation that tests sign with, and its ring."""

    root: PrivateKey = field(default_factory=PrivateKey.generate)
    decision: PrivateKey = field(default_factory=PrivateKey.generate)
    build: PrivateKey = field(default_factory=PrivateKey.generate)
    state: PrivateKey = field(default_factory=PrivateKey.generate)
    access: PrivateKey = field(default_factory=PrivateKey.generate)
    log: PrivateKey = field(default_factory=PrivateKey.generate)

    @property
    def document(self) -> str:
        """``keys.json``, with every key valid from the day before noon."""
        purposes: tuple[KeyPurpose, ...] = ("decision", "access", "build", "state", "log")
        keys = [(purpose, getattr(self, purpose).public) for purpose in purposes]
        return make_ring(self.root, keys, NOON - timedelta(days=1))

    @property
    def ring(self) -> KeyRing:
        """The ring that ``keys.json`` holds."""
        return KeyRing.open(self.document, self.root.public)


@dataclass(frozen=True)
class Case:
    """The statements of one release, before anybody signs them."""

    policy: PolicyStatement
    request: RequestStatement
    decisions: Sequence[DecisionStatement]

    def expected(self) -> Expected:
        """What a node that was told to run this release is about to run."""
        request = self.request
        return Expected(
            project=request.project,
            environment=request.environment,
            endpoint=request.endpoint,
            bento_digest=request.bento_digest,
            serving=request.serving,
            release=request.release,
        )

    def document(self, key: PrivateKey) -> str:
        """Return the permit with every statement signed by ``key``."""
        decisions = [Signed(decision.sign(key)) for decision in self.decisions]
        return build_permit(Signed(self.policy.sign(key)), self.request.sign(key), decisions)

    def decided_again(self, **changes: Any) -> "Case":
        """Return the case with ``changes`` made to the last decision alone."""
        return replace(
            self, decisions=[*self.decisions[:-1], replace(self.decisions[-1], **changes)]
        )


def valid_case() -> Case:
    """Return a release that a reviewer and an approver have approved."""
    policy = PolicyStatement(
        project="prj_1",
        environment="production",
        revision_id="pol_3",
        number=3,
        document=DOCUMENT,
        drafted_by="per_operator",
        published_by="per_approver",
        at=NOON - timedelta(hours=2),
    )
    request = RequestStatement(
        release="rel_1",
        project="prj_1",
        environment="production",
        endpoint="end_1",
        artifact_digest=digest_of("artifact"),
        bento_digest=digest_of("bento"),
        evidence=[digest_of("metrics"), digest_of("scan"), digest_of("smoke test")],
        policy_id=policy.revision_id,
        policy_number=policy.number,
        policy_digest=policy.document_digest,
        plan_digest=digest_of("plan"),
        serving=SERVING,
        requester="per_requester",
        author="per_author",
        not_after=NOON + timedelta(days=14),
        nonce="request-nonce-0001",
        at=NOON,
    )
    return Case(policy, request, approvals(request))


def approvals(request: RequestStatement) -> list[DecisionStatement]:
    """Return the reviewer's and the approver's assent to ``request``."""
    return [
        DecisionStatement.on(
            request,
            verdict="approve",
            person=f"per_{role}",
            role=role,
            nonce=f"{role}-nonce-000001",
            at=NOON + timedelta(hours=hour),
            comment_commitment=digest_of(f"comment of the {role}"),
        )
        for hour, role in enumerate(("reviewer", "approver"), start=1)
    ]
