"""Deciding: one person, in a browser session, over exactly what was shown."""

import secrets

from apps.audit.actions import Recorder, record, seal
from apps.governance import rules
from apps.governance.actions.advance import approve_if_passed, move_release, store_gates
from apps.governance.actions.locking import clean_text, lock_release
from apps.governance.actions.requests import open_request, still_bound
from apps.governance.errors import (
    AlreadyDecided,
    Changed,
    Expired,
    NoRole,
    Separation,
    WrongState,
)
from apps.governance.events import RELEASE_DECIDED, RELEASE_REJECTED
from apps.governance.models import Decision, Release
from apps.governance.queries.facts import evaluate
from apps.identity.errors import NeedsSession
from apps.identity.queries import fresh_grants, scope_of
from apps.serving.actions import release_prefetch
from placet import keystore
from placet.kernel import clock
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput
from placet_verify.keys import PrivateKey
from placet_verify.statements import APPROVE, REJECT, DecisionStatement, RequestStatement


def decide(
    release: Release,
    *,
    verdict: str,
    statement_digest: str,
    comment: str = "",
    actor: Actor,
) -> Decision:
    """Approve or reject ``release`` as it was shown, named by ``statement_digest``.

    The role is read again under lock, so that one taken away before the commit does not count.
    A rejection ends the release. An approval that makes the last gate pass approves it.
    """
    if actor.kind != "person" or actor.token is not None:
        raise NeedsSession
    if verdict not in (APPROVE, REJECT):
        raise InvalidInput(errors=[FieldError("/verdict", f"{APPROVE} or {REJECT}")])
    text = clean_text("comment", comment)
    signer = keystore.signer("decision")
    with record(actor) as log:
        row = lock_release(release, actor, "release.view")
        request = _check_shown(row, statement_digest)
        seen = evaluate(row)
        role = _role(row, rules.missing_roles(seen), actor)
        commitment = seal(text, person=actor.accountable) if text else ""
        decision = Decision(
            release=row,
            project_id=row.project_id,
            person=actor.id,
            role=role,
            verdict=verdict,
            comment_sealed=commitment,
            statement_digest=row.request_digest,
            envelope=_sign(request, signer, actor, verdict, role, commitment),
            gates=list(seen),
        )
        decision.save(force_insert=True)
        _follow(row, decision, log)
        return decision


def _check_shown(release: Release, statement_digest: str) -> RequestStatement:
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


def _role(release: Release, missing: set[str], actor: Actor) -> str:
    """Return the role this person decides as, by the grants held at this instant."""
    scope = scope_of(release)
    held = {
        rules.ROLE_OF[g.permission]
        for g in fresh_grants(actor.id, lock=True)
        if g.permission in rules.ROLE_OF and g.scope.covers(scope)
    }
    if not held:
        raise NoRole
    allowed = rules.counting_roles(
        release.policy.document,
        held,
        person=actor.accountable,
        requester=release.requester,
        author=release.version.author,
    )
    if not allowed:
        raise Separation
    if Decision.objects.filter(release=release, person=actor.id, voided_reason="").exists():
        raise AlreadyDecided
    return rules.deciding_role(allowed, missing)


def _sign(
    request: RequestStatement,
    signer: PrivateKey,
    actor: Actor,
    verdict: str,
    role: str,
    commitment: str,
) -> str:
    statement = DecisionStatement.on(
        request,
        verdict=verdict,
        person=actor.id,
        role=role,
        nonce=secrets.token_hex(16),
        at=clock.now(),
        comment_commitment=commitment,
    )
    return statement.sign(signer).to_json()


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
