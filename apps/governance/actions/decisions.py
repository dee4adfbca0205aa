"""Deciding: one person, in a browser session, over exactly what was shown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.audit.actions import Recorder, record
from apps.governance import rules
from apps.governance.actions.advance import approve_if_passed, move_release, store_gates
from apps.governance.actions.break_glass_ends import end_break_glasses_of
from apps.governance.actions.ceremony import Ceremony, refuse_uncounted
from apps.governance.actions.held import log_lifted, standing_decisions, void
from apps.governance.actions.locking import lock_release
from apps.governance.actions.requests import open_request, still_bound
from apps.governance.approvals import Decider
from apps.governance.errors import (
    AlreadyDecided,
    ApprovalNotAsked,
    Changed,
    Expired,
    NoRole,
    NotIndependent,
    Separation,
    WrongState,
)
from apps.governance.events import RELEASE_DECIDED, RELEASE_REJECTED
from apps.governance.gates import Facts, GateResult
from apps.governance.independence import sentence
from apps.governance.models import Decision, DecisionRecord, Release
from apps.governance.queries.compared import live_of
from apps.governance.queries.facts import answers, gather, last_served
from apps.governance.queries.records import record_of, written
from apps.governance.queries.standing import standing_now
from apps.governance.rules import DECIDED_AGAIN, TAKEN_BACK, ReleaseState
from apps.identity.queries import fresh_grants, scope_of
from apps.identity.sign_in.freshness import demand_session
from apps.identity.trust.passkeys import PasskeyQuestion, stored
from apps.serving.actions import release_prefetch
from placet.kernel import clock, keystore
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput
from placet.kernel.texts import clean_text
from placet_verify import canonical
from placet_verify.permit.approvers import Signed
from placet_verify.permit.standing import Standing
from placet_verify.statements import (
    APPROVE,
    REJECT,
    REQUEST_CHANGES,
    VERDICTS,
    DecisionStatement,
    RequestStatement,
    decision_kind,
    standing_of,
)

MOST_AGAIN = 20  # times that one person decides on a release anew: its page shows each


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deciding(Ceremony[DecisionStatement]):
    """A decision that somebody may make on a release, and as what."""

    CHANGED = "What your passkey signed is not this decision any more: decide again"

    release: Release
    request: RequestStatement
    facts: Facts
    live: Release | None  # at its endpoint
    gates: list[GateResult]
    role: str
    standing: Standing | None  # where they stand, if the policy asks
    verdict: str
    former: Decision | None = None  # their request for changes that this takes the place of

    def statement(self, at: datetime, **signed: str) -> DecisionStatement:
        """Return the decision; with a passkey's ``credential`` one that this passkey signs."""
        standing: dict[str, Any] = {} if self.standing is None else {"standing": self.standing}
        kind = decision_kind(passkey="credential" in signed, standing=bool(standing))
        return kind.on(
            self.request,
            verdict=self.verdict,
            person=self.actor.id,
            role=self.role,
            at=at,
            **signed,
            **standing,
        )


def ask_to_decide(
    release: Release,
    *,
    verdict: str,
    statement_digest: str,
    comment: str = "",
    replaces: str = "",
    passkey: str = "",
    actor: Actor,
) -> PasskeyQuestion:
    """Return what the actor's passkey (``passkey``, else the newest) signs to decide like this.

    Nothing is decided yet: :func:`decide` takes the same words with the passkey's answer.
    """
    text = _checked(verdict, comment, actor)
    with transaction.atomic():
        deciding = _deciding(release, statement_digest, verdict, text, actor)
        return _in_place_of(replaces, deciding).ask(passkey)


def decide(
    release: Release,
    *,
    verdict: str,
    statement_digest: str,
    comment: str = "",
    replaces: str = "",
    assertion: Mapping[str, Any] | None = None,
    actor: Actor,
) -> Decision:
    """Approve, reject or ask for changes to ``release`` as it was shown, named by
    ``statement_digest``.

    The role is read again under lock, so that one taken away before the commit does not count.
    A rejection ends the release. A request for changes holds it until the same person decides
    again, naming that request (``replaces``, its id), or withdraws it. An approval that makes the
    last gate pass approves it.
    ``assertion`` is a passkey's answer to :func:`ask_to_decide`, without which nothing counts
    where the policy demands passkeys.
    """
    text = _checked(verdict, comment, actor)
    signer, ring = keystore.signer("decision"), keystore.ring()
    with record(actor) as log:
        deciding = _deciding(release, statement_digest, verdict, text, actor)
        deciding = _in_place_of(replaces, deciding)
        signed, statement = deciding.sign(assertion, signer, ring)
        if deciding.former is not None:
            void(deciding.former, DECIDED_AGAIN)
        decision = _decision(deciding, signed, statement)
        decision.save(force_insert=True)
        shown = _record(deciding, decision)
        shown.save(force_insert=True)
        _follow(deciding, decision, shown, log)
        return decision


def _decision(deciding: _Deciding, signed: Signed, statement: DecisionStatement) -> Decision:
    """Return the row of what was signed."""
    release, standing = deciding.release, standing_of(statement)
    return Decision(
        release=release,
        project_id=release.project_id,
        person=statement.person,
        role=statement.role,
        verdict=statement.verdict,
        comment_sealed=statement.comment_commitment,
        statement_digest=release.request_digest,
        standing=standing.to_dict() if standing else None,
        gates=deciding.gates,
        **stored(signed),
    )


def _record(deciding: _Deciding, decision: Decision) -> DecisionRecord:
    """Return the row of what the page of the release showed, beside the gates."""
    release = deciding.release
    document = written(record_of(release, deciding.live, deciding.facts))
    return DecisionRecord(
        decision=decision,
        project_id=release.project_id,
        person=decision.person,
        digest=canonical.digest(document.encode()),
        document=document,
    )


def _checked(verdict: str, comment: str, actor: Actor) -> str:
    """Refuse who may never decide, and what is no decision; return the comment, without which
    nobody is refused: who asked is to know why."""
    demand_session(actor)
    if verdict not in VERDICTS:
        detail = f"{APPROVE}, {REQUEST_CHANGES} or {REJECT}"
        raise InvalidInput(errors=[FieldError("/verdict", detail)])
    return clean_text("comment", comment, limit=4000, empty=verdict == APPROVE)


def _deciding(
    release: Release, statement_digest: str, verdict: str, words: str, actor: Actor
) -> _Deciding:
    """Hold a release on which the actor may decide now."""
    row = lock_release(release, actor, "release.view")
    refuse_uncounted(actor)
    request = check_shown(row, statement_digest)
    served = last_served([row])
    facts = gather([row], clock.now(), served=served)[row.pk]
    seen = answers(row, facts)
    held = _held(row, actor)
    standing = standing_now(row, actor.accountable)
    role = _role(row, row.decider(actor.accountable, standing), held, seen, actor)
    if verdict == APPROVE and not row.policy.approvals.asks(role):
        instead = "request changes, reject it, or comment"
        raise ApprovalNotAsked(f"The policy asks for no approval as {role}: {instead}")
    return _Deciding(
        actor=actor,
        about=f"decide {row.pk}",
        environment=row.environment.name,
        passkey=row.policy.approvals.passkey(role),
        words=words,
        release=row,
        request=request,
        facts=facts,
        live=live_of(row, served),
        gates=list(seen),
        role=role,
        standing=standing,
        verdict=verdict,
    )


def check_shown(release: Release, statement_digest: str) -> RequestStatement:
    """Return the request of a release that waits, when it is the one that was shown."""
    if release.state != ReleaseState.REQUESTED:
        raise WrongState(f"The release is already {release.get_state_display().lower()}")
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
    release: Release, decider: Decider, held: set[str], seen: list[GateResult], actor: Actor
) -> str:
    """Return the role this person decides as, by what they hold and where they stand now."""
    if not decider.counting(held):
        if not (admitted := decider.admitted(held)):
            raise Separation
        raise NotIndependent(sentence("You", decider.why_not(admitted[:1])))
    return decider.role(held, seen)


def _in_place_of(replaces: str, deciding: _Deciding) -> _Deciding:
    """Return it with the person's own request for changes that it takes the place of, which they
    were shown: ``replaces`` is its id, '' where none stood. Anything else that they decided stays.
    """
    made = deciding.release.decisions.filter(person=deciding.actor.id)
    if made.filter(voided_reason__in=(DECIDED_AGAIN, TAKEN_BACK)).count() >= MOST_AGAIN:
        detail = f"You have decided again {MOST_AGAIN} times: withdraw what stands, or discuss it"
        raise AlreadyDecided(detail)
    own = standing_decisions(deciding.release).filter(person=deciding.actor.id).first()
    if own is None and replaces:
        raise Changed("Your request for changes stands no longer: reload the page")
    if own is None:
        return deciding
    if own.verdict != REQUEST_CHANGES:
        raise AlreadyDecided
    if own.pk != replaces:
        raise AlreadyDecided("You have requested changes already: reload to decide again")
    return replace(deciding, former=own)


def _follow(deciding: _Deciding, decision: Decision, shown: DecisionRecord, log: Recorder) -> None:
    release = deciding.release
    results = store_gates(release)
    if deciding.former is not None:
        log_lifted(deciding.former, release, log)
    data = {"role": decision.role, "verdict": decision.verdict, "number": release.number}
    log.add(RELEASE_DECIDED, decision, release, shown, subject=release.pk, data=data)
    if decision.verdict == APPROVE:
        approve_if_passed(release, results, log)
    if decision.verdict == REJECT:
        _end(release, log)


def _end(release: Release, log: Recorder) -> None:
    """End a release that somebody rejected."""
    move_release(
        release, expected=ReleaseState.REQUESTED, to=ReleaseState.REJECTED, ended_at=clock.now()
    )
    log.add(RELEASE_REJECTED, release, data={"number": release.number})
    end_break_glasses_of(release, log)
    release_prefetch(release.pk, actor=log.actor)
