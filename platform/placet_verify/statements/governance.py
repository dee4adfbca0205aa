"""Policies, requests and decisions: what the decision key signs."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from placet_verify import canonical, times
from placet_verify.predicates import (
    DECISION_TYPE,
    PASSKEY_DECISION_TYPE,
    PASSKEY_POLICY_TYPE,
    POLICY_TYPE,
    REQUEST_TYPE,
)
from placet_verify.statements.base import Json, Statement, an_object, text_list, texts, whole

APPROVE = "approve"
REJECT = "reject"
REQUEST_CHANGES = "request_changes"  # the release is held until the person decides again
VERDICTS = (APPROVE, REQUEST_CHANGES, REJECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatement(Statement):
    """A policy revision as published: its whole document, who drafted and who published it."""

    TYPE = POLICY_TYPE

    project: str
    environment: str
    revision_id: str
    number: int
    document: Json
    drafted_by: str
    published_by: str
    at: datetime

    @property
    def document_digest(self) -> str:
        """``sha256:…`` of the canonical document: what requests and decisions bind."""
        return canonical.digest(self.document)

    def subject(self) -> dict[str, str]:
        """Return the document's digest."""
        return {"policy": self.document_digest}

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return {
            "project": self.project,
            "environment": self.environment,
            "revision_id": self.revision_id,
            "number": self.number,
            "document": self.document,
            "drafted_by": self.drafted_by,
            "published_by": self.published_by,
            "at": times.rfc3339(self.at),
        }

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        return cls(**_policy(predicate))


def _policy(predicate: Json) -> Json:
    names = ("project", "environment", "revision_id", "drafted_by", "published_by")
    return texts(predicate, *names) | {
        "number": whole(predicate, "number"),
        "document": an_object(predicate, "document"),
        "at": times.parse(predicate["at"]),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyPolicy(PolicyStatement):
    """A policy revision whose publisher signs with a passkey too: the one named ``credential``."""

    TYPE = PASSKEY_POLICY_TYPE

    credential: str
    nonce: str

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        members = PolicyStatement.predicate(self)
        return members | {"credential": self.credential, "nonce": self.nonce}

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        return cls(**_policy(predicate), **texts(predicate, "credential", "nonce"))


BOUND_TEXTS = (
    "release",
    "project",
    "environment",
    "endpoint",
    "artifact_digest",
    "bento_digest",
    "policy_id",
    "policy_digest",
    "plan_digest",
    "requester",
    "author",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound(Statement):
    """Everything that a request asks for and that every decision on it binds again.

    ``requester`` and ``author`` are the accountable people. ``evidence`` holds digests, sorted.
    ``serving`` is the serving configuration itself, so that a node can compare it.
    """

    release: str
    project: str
    environment: str
    endpoint: str
    artifact_digest: str
    bento_digest: str
    evidence: list[str] = field(default_factory=list)
    policy_id: str
    policy_number: int
    policy_digest: str
    plan_digest: str
    serving: Json
    requester: str
    author: str
    not_after: datetime

    def __post_init__(self) -> None:
        for name in ("artifact_digest", "bento_digest", "policy_digest", "plan_digest"):
            if not canonical.is_digest(getattr(self, name)):
                raise ValueError(f"{name} must be sha256: and 64 hex digits")
        if not all(map(canonical.is_digest, self.evidence)):
            raise ValueError("evidence must be a list of digests")

    @property
    def serving_digest(self) -> str:
        """``sha256:…`` of the serving configuration."""
        return canonical.digest(self.serving)

    def subject(self) -> dict[str, str]:
        """Return the artifact and the Bento."""
        return {"artifact": self.artifact_digest, "bento": self.bento_digest}

    def bound(self) -> Json:
        """Return the bound members as JSON values."""
        return {name: getattr(self, name) for name in BOUND_TEXTS} | {
            "evidence": sorted(set(self.evidence)),
            "policy_number": self.policy_number,
            "serving": self.serving,
            "not_after": times.rfc3339(self.not_after),
        }


def _bound(predicate: Json) -> Json:
    return texts(predicate, *BOUND_TEXTS) | {
        "evidence": text_list(predicate, "evidence"),
        "policy_number": whole(predicate, "policy_number"),
        "serving": an_object(predicate, "serving"),
        "not_after": times.parse(predicate["not_after"]),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStatement(Bound):
    """Somebody asks to put one Bento behind one endpoint, under one policy revision."""

    TYPE = REQUEST_TYPE

    nonce: str
    at: datetime

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return self.bound() | {"nonce": self.nonce, "at": times.rfc3339(self.at)}

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        return cls(
            **_bound(predicate), **texts(predicate, "nonce"), at=times.parse(predicate["at"])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionStatement(Bound):
    """A person approves, rejects or asks for changes to exactly one request, by its digest and all
    it binds."""

    TYPE = DECISION_TYPE

    request_digest: str
    verdict: str
    person: str
    role: str
    comment_commitment: str
    nonce: str
    at: datetime

    def __post_init__(self) -> None:
        Bound.__post_init__(self)
        if not canonical.is_digest(self.request_digest):
            raise ValueError("request_digest must be sha256: and 64 hex digits")
        if self.verdict not in VERDICTS:
            raise ValueError("a verdict is approve, request_changes or reject")
        if self.comment_commitment and not canonical.is_digest(self.comment_commitment):
            raise ValueError("a comment is bound by its commitment, sha256: and 64 hex digits")

    @classmethod
    def on(
        cls,
        request: RequestStatement,
        *,
        verdict: str,
        person: str,
        role: str,
        nonce: str,
        at: datetime,
        comment_commitment: str = "",
        **more: Any,
    ) -> Self:
        """Return a decision on ``request`` that binds everything it binds."""
        return cls(
            **_bound(request.predicate()),
            request_digest=request.digest,
            verdict=verdict,
            person=person,
            role=role,
            comment_commitment=comment_commitment,
            nonce=nonce,
            at=at,
            **more,
        )

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return self.bound() | {
            "request_digest": self.request_digest,
            "verdict": self.verdict,
            "person": self.person,
            "role": self.role,
            "comment_commitment": self.comment_commitment,
            "nonce": self.nonce,
            "at": times.rfc3339(self.at),
        }

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        return cls(**decision_members(predicate))


def decision_members(predicate: Json) -> Json:
    """Return the members that every statement on a request has."""
    names = ("request_digest", "verdict", "person", "role", "comment_commitment", "nonce")
    return _bound(predicate) | texts(predicate, *names) | {"at": times.parse(predicate["at"])}


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyDecision(DecisionStatement):
    """A decision that the person signs with a passkey too: the one named ``credential``."""

    TYPE = PASSKEY_DECISION_TYPE

    credential: str

    def predicate(self) -> Json:
        """Return the members of the predicate."""
        return DecisionStatement.predicate(self) | {"credential": self.credential}

    @classmethod
    def read(cls, predicate: Json, subject: dict[str, str]) -> Self:
        """Build the statement from its predicate."""
        return cls(**decision_members(predicate), **texts(predicate, "credential"))
