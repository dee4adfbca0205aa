"""The permit: what a release carries with it, and the one function that says whether it holds.

A permit is the signed policy revision, the signed request and every signed decision. Nothing else
is needed to count the quorum: no database, no network. The server's action, the driver and the
node agent each call :func:`permit`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from placet_verify import canonical, times
from placet_verify.errors import Refused
from placet_verify.permit import break_glass, quorum, serving
from placet_verify.permit.approvers import Approvers, Signed, enrolment_of, read_enrolments
from placet_verify.recalls import NONE, Uncounted
from placet_verify.signing import dsse
from placet_verify.signing.keys import KeyRing
from placet_verify.statements import (
    APPROVE,
    REQUEST_CHANGES,
    BreakGlassStatement,
    DecisionStatement,
    PasskeyBreakGlass,
    PasskeyDecision,
    PasskeyPolicy,
    PolicyStatement,
    RequestStatement,
    read_decision,
    standing_of,
)

MAX_BYTES = 1 << 20
SYSTEM = "system"
MIN_NONCE = 16
_CLOCK_SLACK = timedelta(minutes=5)


class PermitRefused(Refused):
    """The permit does not let this run. ``code`` says which check failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the caller is about to run: ids and digests that the permit must name.

    ``serving`` or ``release`` as ``None`` is not compared.
    """

    project: str
    environment: str
    endpoint: str
    bento_digest: str
    serving: dict[str, Any] | None = None
    release: str | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit that holds."""

    policy: PolicyStatement
    request: RequestStatement
    decisions: tuple[DecisionStatement, ...]
    passkeys: frozenset[str] = frozenset()  # the people who signed their decision with one
    glass: tuple[BreakGlassStatement, ...] = ()  # it counts instead of the whole quorum

    @property
    def not_after(self) -> datetime:
        """The moment after which the release may not be started any more."""
        return min([self.request.not_after, *(one.until for one in self.glass)])


def build_permit(
    policy: Signed,
    request: dsse.Envelope,
    decisions: Iterable[Signed],
    enrolments: Iterable[Signed] = (),
    glass: Iterable[Signed] = (),
) -> str:
    """Return the permit document of a release: version 2 where a passkey signed any of it, version
    3 where people broke the glass.

    ``enrolments`` are those of the passkeys, each behind whoever vouches for it.
    """
    decided, enrolled, broken = list(decisions), list(enrolments), list(glass)
    if not broken and not any(signed.assertion for signed in (policy, *decided)):
        members: dict[str, Any] = {
            "v": 1,
            "policy": policy.envelope.to_dict(),
            "decisions": [decision.envelope.to_dict() for decision in decided],
        }
    else:
        members = {
            "v": 2,
            "policy": policy.to_dict(),
            "decisions": [decision.to_dict() for decision in decided],
            "enrolments": [enrolment.to_dict() for enrolment in enrolled],
        }
    if broken:
        members |= {"v": 3, "break_glass": [one.to_dict() for one in broken]}
    return canonical.dumps(members | {"request": request.to_dict()}).decode("utf-8")


def permit(
    document: str,
    ring: KeyRing,
    *,
    expect: Expected,
    starting_at: datetime | None,
    policy_floor: int = 0,
    uncounted: Uncounted = NONE,
) -> Permit:
    """Return the permit when it lets ``expect`` run; raise ``PermitRefused`` otherwise.

    ``starting_at`` is the moment of a start; ``None`` for what serves already, which no passing
    of time stops. ``policy_floor`` is the lowest policy number that still counts here, and
    ``uncounted`` whose signatures were recalled.
    """
    permit_ = holds(document, ring, policy_floor=policy_floor, uncounted=uncounted)
    _check_expected(permit_.request, expect)
    if starting_at is not None and starting_at > permit_.not_after:
        when = times.rfc3339(permit_.not_after)
        raise PermitRefused("expired", f"the release could be started until {when}")
    return permit_


def holds(
    document: str, ring: KeyRing, *, policy_floor: int = 0, uncounted: Uncounted = NONE
) -> Permit:
    """Return the permit when it is whole and its quorum is met, whatever it is for.

    For people who look at a permit; whoever is about to run something calls :func:`permit`.
    """
    try:
        permit_ = _open(document, ring, uncounted)
        _check_policy(permit_, policy_floor)
        serving.check(permit_.request.serving)
        _check_decisions(permit_)
        _check_pinned(permit_, ring)
        _check_quorum(permit_)
    except PermitRefused:
        raise
    except Refused as refusal:
        raise PermitRefused(refusal.code, refusal.sentence) from refusal
    return permit_


def envelopes(document: str) -> list[tuple[str, dsse.Envelope]]:
    """Return every envelope of a permit, and what it is; whether it holds is another question."""
    policy, request, decisions, enrolments, broken = _parts(document)
    return [
        ("policy", policy.envelope),
        ("request", request),
        *(("decision", decision.envelope) for decision in decisions),
        *(("break-glass", one.envelope) for one in broken),
        *(("enrolment", enrolment.envelope) for enrolment in enrolments),
    ]


_Parts = tuple[Signed, dsse.Envelope, list[Signed], list[Signed], list[Signed]]


def _parts(document: str) -> _Parts:
    """Return policy, request, decisions, enrolments and break-glass of a permit of any version."""
    if not document:
        raise PermitRefused("no_permit", "there is no permit")
    if len(document) > MAX_BYTES:
        raise PermitRefused("too_large", "the permit is larger than 1 MiB")
    return _read(canonical.loads(document))


def _read(members: Any) -> _Parts:
    match members:
        case {"v": 1, "policy": policy, "request": request, "decisions": list(decisions), **rest}:
            enrolments: list[Any] = []
            policy, decisions = {"envelope": policy}, [{"envelope": one} for one in decisions]
        case {
            "v": 2,
            "policy": policy,
            "request": request,
            "decisions": list(decisions),
            "enrolments": list(enrolments),
            **rest,
        }:
            pass
        case {"v": 3, "break_glass": [_, *_] as broken, **others}:  # the rest is as in version 2
            signed, envelope, decided, enrolled, _ = _read({**others, "v": 2})
            return signed, envelope, decided, enrolled, [Signed.from_dict(one) for one in broken]
        case _:
            raise PermitRefused("malformed", "a permit needs v, policy, request and decisions")
    if rest:
        raise PermitRefused("malformed", "the permit has members that it must not have")
    return (
        Signed.from_dict(policy),
        dsse.Envelope.from_dict(request),
        [Signed.from_dict(one) for one in decisions],
        [Signed.from_dict(one) for one in enrolments],
        [],
    )


def _open(document: str, ring: KeyRing, uncounted: Uncounted) -> Permit:
    policy, request, decisions, enrolments, broken = _parts(document)
    _refuse_recalled_keys(document, uncounted.keys)
    gone = _recalled_passkeys(enrolments, uncounted.passkeys)
    if gone:
        enrolments = [e for e in enrolments if enrolment_of(e).passkey.credential not in gone]
        decisions, broken = (
            [one for one in signed if not one.assertion or one.assertion.credential not in gone]
            for signed in (decisions, broken)
        )
    approvers = read_enrolments(enrolments, ring)
    every = [_decision(one, ring, approvers) for one in decisions]
    signed = [one for one in every if one.person not in uncounted.people]
    glasses = [_break_glass(one, ring, approvers) for one in broken]
    return Permit(
        _policy(policy, ring, approvers),
        RequestStatement.parse(ring.verify(request, "decision")),
        tuple(signed),
        frozenset(one.person for one in signed if isinstance(one, PasskeyDecision)),
        tuple(one for one in glasses if one.person not in uncounted.people),
    )


def _refuse_recalled_keys(document: str, recalled: frozenset[str]) -> None:
    if not recalled:
        return
    for what, envelope in envelopes(document):
        if key_ids := recalled & {signature.keyid for signature in envelope.signatures}:
            raise PermitRefused(
                "key_recalled", f"the {what} is signed by key {min(key_ids)}, which was recalled"
            )


def _recalled_passkeys(enrolments: Iterable[Signed], recalled: frozenset[str]) -> frozenset[str]:
    """Return the passkeys that do not count: the recalled, and whom one of them vouches for.

    Each enrolment stands behind whoever vouches for it.
    """
    gone = set(recalled)
    for signed in enrolments if gone else ():
        if signed.assertion is not None and signed.assertion.credential in gone:
            gone.add(enrolment_of(signed).passkey.credential)
    return frozenset(gone)


def _policy(signed: Signed, ring: KeyRing, approvers: Approvers) -> PolicyStatement:
    payload = ring.verify(signed.envelope, "decision")
    if signed.assertion is None:
        return PolicyStatement.parse(payload)
    policy = PasskeyPolicy.parse(payload)
    approvers.check(signed, person=policy.published_by, credential=policy.credential, at=policy.at)
    return policy


def _decision(signed: Signed, ring: KeyRing, approvers: Approvers) -> DecisionStatement:
    payload = ring.verify(signed.envelope, "decision")
    decision = read_decision(payload, passkey=signed.assertion is not None)
    if isinstance(decision, PasskeyDecision):
        approvers.check(
            signed, person=decision.person, credential=decision.credential, at=decision.at
        )
    return decision


def _break_glass(signed: Signed, ring: KeyRing, approvers: Approvers) -> BreakGlassStatement:
    payload = ring.verify(signed.envelope, "decision")
    if signed.assertion is None:
        return BreakGlassStatement.parse(payload)
    statement = PasskeyBreakGlass.parse(payload)
    approvers.check(
        signed, person=statement.person, credential=statement.credential, at=statement.at
    )
    return statement


def _check_pinned(permit_: Permit, ring: KeyRing) -> None:
    """Refuse what was not decided with passkeys where ``keys.json`` demands them.

    The server's own keys sign policies: without this, whoever has them could publish one that
    demands nothing.
    """
    environment = permit_.request.environment
    if environment not in ring.passkeys:
        return
    if not isinstance(permit_.policy, PasskeyPolicy):
        raise PermitRefused(
            "policy_without_passkey",
            f"a policy of {environment} must be published with a passkey",
        )
    rules = quorum.approval_rules(permit_.policy.document)
    if not rules or not all(rule.passkey for rule in rules):
        raise PermitRefused(
            "passkeys_demanded", f"a policy of {environment} must demand approvals by passkey"
        )


def _check_policy(permit_: Permit, floor: int) -> None:
    policy, request = permit_.policy, permit_.request
    pairs = {
        "project": (policy.project, request.project),
        "environment": (policy.environment, request.environment),
        "policy_id": (policy.revision_id, request.policy_id),
        "policy_number": (policy.number, request.policy_number),
        "policy_digest": (policy.document_digest, request.policy_digest),
    }
    for name, (has, wants) in pairs.items():
        if has != wants:
            raise PermitRefused("policy_differs", f"the policy has another {name} than the request")
    if policy.number < floor:
        raise PermitRefused(
            "policy_too_old", f"policy {policy.number} was replaced: {floor} or newer is needed"
        )
    if policy.drafted_by == policy.published_by != SYSTEM:
        raise PermitRefused("policy_self_published", "the policy was published by its drafter")
    days = timedelta(days=quorum.expiry_days(policy.document))
    if request.not_after > request.at + days + _CLOCK_SLACK:
        raise PermitRefused("expiry_too_late", "the request allows a later start than the policy")


def _check_decisions(permit_: Permit) -> None:
    nonces = {_nonce(permit_.request.nonce)}
    for statements in (permit_.decisions, permit_.glass):
        people: set[str] = set()  # of each kind one: who decided may confirm a break-glass too
        for statement in statements:
            _check_decision(statement, permit_.request, people, nonces)
            people.add(statement.person)
            nonces.add(_nonce(statement.nonce))


def _check_decision(
    decision: DecisionStatement, request: RequestStatement, people: set[str], nonces: set[str]
) -> None:
    who, bound = f"the decision of {decision.person}", request.bound()
    if decision.request_digest != request.digest:
        raise PermitRefused("other_request", f"{who} is about another request")
    for name, value in decision.bound().items():
        if canonical.dumps(value) != canonical.dumps(bound[name]):
            raise PermitRefused("bound_differs", f"{who} binds another {name}")
    if decision.verdict == REQUEST_CHANGES:
        raise PermitRefused("changes_requested", f"{decision.person} requested changes")
    if decision.verdict != APPROVE:
        raise PermitRefused("rejected", f"{decision.person} rejected the release")
    if not decision.person or not decision.role:
        raise PermitRefused("nobody", "a decision names no person or no role")
    if decision.person in people:
        raise PermitRefused("person_twice", f"{decision.person} decided twice")
    if decision.nonce in nonces:
        raise PermitRefused("nonce_twice", f"{who} uses a nonce that was used before")
    if decision.at > request.not_after:
        raise PermitRefused("decided_too_late", f"{who} came after the release expired")


def _nonce(nonce: str) -> str:
    if len(nonce) < MIN_NONCE:
        raise PermitRefused("weak_nonce", f"a nonce needs at least {MIN_NONCE} characters")
    return nonce


def _check_quorum(permit_: Permit) -> None:
    request = permit_.request
    if permit_.glass:
        signed = frozenset(
            one.person for one in permit_.glass if isinstance(one, PasskeyBreakGlass)
        )
        break_glass.check(permit_.glass, permit_.policy.document, request, signed)
        return
    counts = quorum.tally(
        quorum.approval_rules(permit_.policy.document),
        requester=request.requester,
        author=request.author,
        approvals=[(decision.person, decision.role) for decision in permit_.decisions],
        passkeys=permit_.passkeys,
        standings={d.person: known for d in permit_.decisions if (known := standing_of(d))},
    )
    for count in counts:
        if not count.met:
            raise PermitRefused(
                "quorum",
                f"the policy needs {count.rule.count} approval(s) by a {count.rule.role}"
                f"{quorum.said(count.rule)}; {len(count.people)} count(s)",
            )


def _check_expected(request: RequestStatement, expect: Expected) -> None:
    names = ("project", "environment", "endpoint", "bento_digest")
    pairs = {name: (getattr(request, name), getattr(expect, name)) for name in names}
    if expect.release is not None:
        pairs["release"] = (request.release, expect.release)
    if expect.serving is not None:
        pairs["serving"] = (request.serving_digest, canonical.digest(expect.serving))
    for name, (has, wants) in pairs.items():
        if has != wants:
            raise PermitRefused("other_" + name, f"the permit is for another {name}")
