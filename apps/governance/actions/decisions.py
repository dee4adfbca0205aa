"""Deciding: one person, in a browser session, over exactly what was shown."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from apps.audit.actions import Recorder, commitment_of, fresh_salt, record, seal
from apps.governance import independence, rules
from apps.governance.actions.advance import approve_if_passed, move_release, store_gates
from apps.governance.actions.locking import clean_text, lock_release
from apps.governance.actions.requests import open_request, still_bound
from apps.governance.errors import (
    AlreadyDecided,
    Changed,
    Expired,
    NoRole,
    NotIndependent,
    Separation,
    WrongState,
)
from apps.governance.events import RELEASE_DECIDED, RELEASE_REJECTED
from apps.governance.gates import GateResult
from apps.governance.models import Decision, Release
from apps.governance.queries.facts import evaluate
from apps.governance.queries.standing import standing_now
from apps.identity.errors import NeedsPasskey, NeedsSession
from apps.identity.models import ApproverPasskey
from apps.identity.queries import fresh_grants, scope_of
from apps.identity.sign_in.freshness import demand_fresh
from apps.identity.trust import passkeys
from apps.identity.trust.passkeys import Question, public_half, signing_passkey
from apps.serving.actions import release_prefetch
from apps.serving.errors import Recalled
from apps.serving.hooks import keeper
from placet.kernel import clock, keystore
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput
from placet_verify.permit.approvers import Signed
from placet_verify.permit.standing import Standing
from placet_verify.signing.keys import KeyRing, PrivateKey
from placet_verify.statements import (
    APPROVE,
    REJECT,
    DecisionStatement,
    PasskeyDecision,
    RequestStatement,
    Statement,
    decision_kind,
    parse,
    standing_of,
)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A release on which somebody may decide, held, and as what."""

    release: Release
    request: RequestStatement
    gates: list[GateResult]
    role: str
    standing: Standing | None  # where they stand, if the policy asks

    def statement(self, **said: Any) -> DecisionStatement:
        """Return a decision on it: with a passkey's ``credential`` one that this passkey signs."""
        told: dict[str, Any] = {} if self.standing is None else {"standing": self.standing}
        kind = decision_kind(passkey="credential" in said, standing=bool(told))
        return kind.on(self.request, role=self.role, **said, **told)


def ask_to_decide(
    release: Release,
    *,
    verdict: str,
    statement_digest: str,
    comment: str = "",
    passkey: str = "",
    actor: Actor,
) -> Question:
    """Return what the actor's passkey (``passkey``, else the newest) signs to decide like this.

    Nothing is decided yet: :func:`decide` takes the same words with the passkey's answer.
    """
    text = _checked(verdict, comment, actor)
    with transaction.atomic():
        ready = _ready(release, statement_digest, actor)
        own, salt = signing_passkey(actor, passkey), fresh_salt()
        statement = ready.statement(
            verdict=verdict,
            person=actor.id,
            nonce=secrets.token_hex(16),
            at=clock.now(),
            comment_commitment=commitment_of(text, salt) if text else "",
            credential=own.credential,
        )
        notes = {"own": own.pk, "salt": salt.hex()}
        about = f"decide {release.pk}"
        return passkeys.ask(actor, about, statement.payload(), public_half(own), notes)


def decide(
    release: Release,
    *,
    verdict: str,
    statement_digest: str,
    comment: str = "",
    assertion: Mapping[str, Any] | None = None,
    actor: Actor,
) -> Decision:
    """Approve or reject ``release`` as it was shown, named by ``statement_digest``.

    The role is read again under lock, so that one taken away before the commit does not count.
    A rejection ends the release. An approval that makes the last gate pass approves it.
    ``assertion`` is a passkey's answer to :func:`ask_to_decide`, without which nothing counts
    where the policy demands passkeys.
    """
    text = _checked(verdict, comment, actor)
    signer, ring = keystore.signer("decision"), keystore.ring()
    with record(actor) as log:
        ready = _ready(release, statement_digest, actor)
        if assertion is not None:
            signed = _by_passkey(ready, verdict, text, assertion, signer, ring, actor)
        elif _demanded(ready, ring):
            raise NeedsPasskey("Sign it with your passkey, on the release's page")
        else:
            demand_fresh(actor)
            signed = _plain(ready, verdict, text, signer, actor)
        decision = _decision(ready, signed)
        decision.save(force_insert=True)
        _follow(ready.release, decision, log)
        return decision


def _decision(ready: _Ready, signed: Signed) -> Decision:
    """Return the row of what was signed."""
    statement = parse(signed.envelope.payload)
    assert isinstance(statement, DecisionStatement)  # made here
    standing = standing_of(statement)
    return Decision(
        release=ready.release,
        project_id=ready.release.project_id,
        person=statement.person,
        role=statement.role,
        verdict=statement.verdict,
        comment_sealed=statement.comment_commitment,
        statement_digest=ready.release.request_digest,
        envelope=signed.envelope.to_json(),
        assertion=signed.assertion.to_dict() if signed.assertion else None,
        standing=standing.to_dict() if standing else None,
        gates=ready.gates,
    )


def _checked(verdict: str, comment: str, actor: Actor) -> str:
    """Refuse who may never decide, and what is no decision; return the comment."""
    demand_session(actor)
    if verdict not in (APPROVE, REJECT):
        raise InvalidInput(errors=[FieldError("/verdict", f"{APPROVE} or {REJECT}")])
    return clean_text("comment", comment)


def demand_session(actor: Actor) -> None:
    """Raise :class:`NeedsSession` unless a person asks in a browser session, where one decides."""
    if actor.kind != "person" or actor.token is not None:
        raise NeedsSession


def _ready(release: Release, statement_digest: str, actor: Actor) -> _Ready:
    row = lock_release(release, actor, "release.view")
    refuse_uncounted(actor)
    request = check_shown(row, statement_digest)
    seen = evaluate(row)
    held = _held(row, actor)
    standing = standing_now(row, actor.accountable)
    return _Ready(row, request, list(seen), _role(row, seen, held, standing, actor), standing)


def refuse_uncounted(actor: Actor) -> None:
    """Raise :class:`Recalled` when what ``actor`` signs does not count."""
    if actor.accountable in keeper().uncounted().people:
        raise Recalled("Your decisions were recalled: you decide nothing until that is lifted")


def refuse_recalled_passkey(signed: Signed) -> None:
    """Raise :class:`Recalled` when the passkey that signed this was recalled."""
    if signed.assertion and signed.assertion.credential in keeper().uncounted().passkeys:
        raise Recalled("This passkey was recalled: sign with another one")


def _demanded(ready: _Ready, ring: KeyRing) -> bool:
    release = ready.release
    return release.environment.name in ring.passkeys or rules.passkeys_demanded(
        release.policy.document, ready.role
    )


def check_shown(release: Release, statement_digest: str) -> RequestStatement:
    """Return the request of a release that waits, when it is the one that was shown."""
    if release.state != "requested":
        raise WrongState(f"The release is {release.get_state_display().lower()}")
    if release.not_after <= clock.now():
        raise Expired
    if statement_digest != release.request_digest:
        raise Changed
    request = open_request(release)
    if not still_bound(release, request):
        raise Changed("What the request binds is no longer what the release holds")
    return request


def _held(release: Release, actor: Actor) -> set[str]:
    """Return the deciding roles that the actor holds at this instant."""
    scope = scope_of(release)
    held = {
        rules.ROLE_OF[g.permission]
        for g in fresh_grants(actor.id, lock=True)
        if g.permission in rules.ROLE_OF and g.scope.covers(scope)
    }
    if not held:
        raise NoRole
    return held


def _role(
    release: Release,
    seen: list[GateResult],
    held: set[str],
    standing: Standing | None,
    actor: Actor,
) -> str:
    """Return the role this person decides as, by what they hold and where they stand now."""
    document = release.policy.document
    parties = {
        "person": actor.accountable,
        "requester": release.requester,
        "author": release.version.author,
    }
    allowed = rules.counting_roles(document, held, **parties, standing=standing)
    if not allowed:
        others = rules.others_roles(document, held, **parties)
        if not others:
            raise Separation
        asked = independence.places(document, others[0])
        why = independence.obstacles(asked, standing, **parties)
        raise NotIndependent(independence.sentence("You", why))
    if Decision.objects.filter(release=release, person=actor.id, voided_reason="").exists():
        raise AlreadyDecided
    needed = rules.still_needed(document, seen, **parties, standing=standing)
    return rules.deciding_role(allowed, needed)


def _plain(ready: _Ready, verdict: str, text: str, signer: PrivateKey, actor: Actor) -> Signed:
    statement = ready.statement(
        verdict=verdict,
        person=actor.id,
        nonce=secrets.token_hex(16),
        at=clock.now(),
        comment_commitment=seal(text, person=actor.accountable) if text else "",
    )
    return Signed(statement.sign(signer))


def _by_passkey(
    ready: _Ready,
    verdict: str,
    text: str,
    assertion: Mapping[str, Any],
    signer: PrivateKey,
    ring: KeyRing,
    actor: Actor,
) -> Signed:
    """Take a passkey's answer, when what it signed is still exactly this decision."""

    def made_again(asked: Statement, own: ApproverPasskey, notes: Mapping[str, str]) -> Statement:
        assert isinstance(asked, PasskeyDecision)  # by what it was asked about
        salt = bytes.fromhex(notes["salt"])
        return ready.statement(
            verdict=verdict,
            person=actor.id,
            nonce=asked.nonce,
            at=asked.at,
            comment_commitment=seal(text, person=actor.accountable, salt=salt) if text else "",
            credential=own.credential,
        )

    about = f"decide {ready.release.pk}"
    signed = passkeys.completed(
        actor, about, assertion, made_again=made_again, signer=signer, ring=ring
    )
    if signed is None:
        raise Changed("What your passkey signed is not this decision any more: decide again")
    refuse_recalled_passkey(signed)
    return signed


def _follow(release: Release, decision: Decision, log: Recorder) -> None:
    results = store_gates(release)
    data = {"role": decision.role, "verdict": decision.verdict, "number": release.number}
    log.add(RELEASE_DECIDED, decision, release, subject=release.pk, data=data)
    if decision.verdict == APPROVE:
        approve_if_passed(release, results, log)
        return
    move_release(release, expected="requested", to="rejected", ended_at=clock.now())
    log.add(RELEASE_REJECTED, release, data={"number": release.number})
    release_prefetch(release.pk, actor=log.actor)
