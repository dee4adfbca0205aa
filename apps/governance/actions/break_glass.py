"""Breaking the glass: one person opens an exception for one release, others confirm it.

Nobody is let past anything here that the policy in force does not let them past: what each signs
goes into the permit, and the permit is counted anew wherever the release is to run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from apps.audit.actions import record
from apps.governance import gates
from apps.governance.actions.advance import approve_if_passed, store_gates
from apps.governance.actions.break_glass_ends import lock_break_glass
from apps.governance.actions.ceremony import Ceremony, refuse_uncounted
from apps.governance.actions.decisions import check_shown
from apps.governance.actions.held import refuse_held
from apps.governance.actions.locking import lock_release
from apps.governance.errors import (
    Changed,
    Expired,
    GatesFailed,
    NobodyCoSigns,
    NoBreakGlass,
    OwnBreakGlass,
    ReviewOverdue,
    Separation,
    WrongBreakGlassState,
)
from apps.governance.events import GLASS_CONFIRMED, GLASS_OPENED
from apps.governance.models import BreakGlass, BreakGlassSignature, Release
from apps.governance.queries.facts import foreseen
from apps.governance.queries.people import lacks_co_signers
from apps.governance.rules import GLASS_OPEN, BreakGlassState
from apps.identity.queries import fresh_grants, scope_of
from apps.identity.sign_in.freshness import demand_session
from apps.identity.trust.passkeys import PasskeyQuestion, stored
from placet.kernel import clock, keystore
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, InvalidInput, NeedsPermission
from placet.kernel.states import move
from placet.kernel.texts import clean_text
from placet_verify.permit.approvers import Signed
from placet_verify.permit.break_glass import CONFIRMER, OPENER, BreakGlassRule
from placet_verify.statements import (
    APPROVE,
    BreakGlassStatement,
    PasskeyBreakGlass,
    RequestStatement,
)

LONGEST = 2000  # characters of a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class _Breaking(Ceremony[BreakGlassStatement]):
    """A break-glass that somebody may open or confirm for a release."""

    CHANGED = "What your passkey signed is not this any more: begin again"

    release: Release
    request: RequestStatement
    rule: BreakGlassRule
    role: str
    glass: BreakGlass | None = None  # that is to be confirmed
    lasting: timedelta = field(default_factory=timedelta)  # of one that is to be opened

    def statement(self, at: datetime, **signed: str) -> BreakGlassStatement:
        """Return what the person signs; with ``credential`` by that passkey."""
        kind = PasskeyBreakGlass if "credential" in signed else BreakGlassStatement
        return kind.on(
            self.request,
            verdict=APPROVE,
            person=self.actor.id,
            role=self.role,
            at=at,
            until=self.glass.until if self.glass else at + self.lasting,
            opening=self.glass.opening_digest if self.glass else "",
            **signed,
        )


def ask_to_open(
    release: Release,
    *,
    statement_digest: str,
    reason: str,
    hours: int | None = None,
    passkey: str = "",
    actor: Actor,
) -> PasskeyQuestion:
    """Return what the actor's passkey (``passkey``, else the newest) signs to open it like this."""
    words = _checked(reason, actor)
    with transaction.atomic():
        return _openable(release, statement_digest, words, hours, actor).ask(passkey)


def open_break_glass(
    release: Release,
    *,
    statement_digest: str,
    reason: str,
    hours: int | None = None,
    assertion: Mapping[str, Any] | None = None,
    actor: Actor,
) -> BreakGlass:
    """Open a break-glass for ``release`` as it was shown, for so many ``hours`` (the most the
    policy allows). It has no effect until enough others confirm it.

    Needs ``release.break_glass``, which is read again under lock, in a browser session.
    """
    words = _checked(reason, actor)
    signer, ring = keystore.signer("decision"), keystore.ring()
    with record(actor) as log:
        opening = _openable(release, statement_digest, words, hours, actor)
        signed, statement = opening.sign(assertion, signer, ring)
        row = opening.release
        glass = BreakGlass(
            release=row,
            project_id=row.project_id,
            statement_digest=row.request_digest,
            opening_digest=statement.digest,
            reason_sealed=statement.comment_commitment,
            people=opening.rule.people,
            review_days=row.policy.document["break_glass"]["review_days"],
            opened_by=actor.id,
            opened_at=statement.at,
            until=statement.until,
        )
        glass.save(force_insert=True)
        own = _signature(glass, signed, statement)
        data = {"number": row.number, "people": glass.people}
        log.add(GLASS_OPENED, glass, own, subject=row.pk, data=data)
        return glass


def ask_to_confirm(
    glass: BreakGlass,
    *,
    opening_digest: str,
    comment: str = "",
    passkey: str = "",
    actor: Actor,
) -> PasskeyQuestion:
    """Return what the actor's passkey (``passkey``, else the newest) signs to confirm it."""
    words = _checked(comment, actor, empty=True)
    with transaction.atomic():
        return _confirmable(glass, opening_digest, words, actor).ask(passkey)


def confirm_break_glass(
    glass: BreakGlass,
    *,
    opening_digest: str,
    comment: str = "",
    assertion: Mapping[str, Any] | None = None,
    actor: Actor,
) -> BreakGlass:
    """Confirm a break-glass as it was shown, named by the digest of what opened it.

    As an approver of the environment who neither took part in it nor asked for the release nor made
    its version. When that is enough people the release is approved by it, and somebody else must
    review it afterwards.
    """
    words = _checked(comment, actor, empty=True)
    signer, ring = keystore.signer("decision"), keystore.ring()
    with record(actor) as log:
        confirming = _confirmable(glass, opening_digest, words, actor)
        release, row = confirming.release, confirming.glass
        assert row is not None  # that is what it is about
        signed, statement = confirming.sign(assertion, signer, ring)
        own = _signature(row, signed, statement)
        whole = row.signatures.count() >= row.people
        if whole:
            due = row.until + timedelta(days=row.review_days)
            confirmed = {"confirmed_at": statement.at, "review_due_at": due}
            # its row is held: nobody else is first
            move(row, expected=BreakGlassState.OPENED, to=BreakGlassState.CONFIRMED, **confirmed)
        data = {"number": release.number, "role": own.role}
        log.add(GLASS_CONFIRMED, row, own, subject=release.pk, data=data)
        if whole:
            results = store_gates(release)
            if not approve_if_passed(release, results, log):
                raise GatesFailed(errors=gates.faults(results))
        return row


def _checked(words: str, actor: Actor, *, empty: bool = False) -> str:
    demand_session(actor)
    name = "comment" if empty else "reason"
    return clean_text(name, words, limit=LONGEST, empty=empty)


def _openable(
    release: Release, statement_digest: str, words: str, hours: int | None, actor: Actor
) -> _Breaking:
    """Hold a release that the actor may open a break-glass for now, and others could confirm."""
    row = lock_release(release, actor, "release.view")
    request = check_shown(row, statement_digest)
    rule = _rule(row)
    wanted = rule.hours if hours is None else hours
    if not 1 <= wanted <= rule.hours:
        detail = f"The policy allows 1 to {rule.hours} hours"
        raise InvalidInput(errors=[FieldError("/hours", detail)])
    _refuse(row, actor, "release.break_glass")
    if why := lacks_co_signers(row, actor.accountable):
        raise NobodyCoSigns(why)
    if row.break_glasses.filter(state__in=GLASS_OPEN).exists():
        raise WrongBreakGlassState("This release already has an open emergency release")
    return _Breaking(
        actor=actor,
        about=f"break glass {row.pk}",
        environment=row.environment.name,
        passkey=rule.passkey,
        words=words,
        release=row,
        request=request,
        rule=rule,
        role=OPENER,
        lasting=timedelta(hours=wanted),
    )


def _confirmable(glass: BreakGlass, opening_digest: str, words: str, actor: Actor) -> _Breaking:
    """Hold a break-glass that the actor may confirm now."""
    row = lock_break_glass(glass, actor, "release.view")
    if row.state != BreakGlassState.OPENED:
        raise WrongBreakGlassState(f"The emergency release is already {row.state}")
    if opening_digest != row.opening_digest:
        raise Changed
    release = row.release
    request = check_shown(release, row.statement_digest)
    if row.until <= clock.now():
        raise Expired("It has expired: start a new one")
    if row.signatures.filter(person=actor.id).exists():
        raise OwnBreakGlass("You took part in it already: someone else must co-sign")
    _refuse(release, actor, "release.approve")
    if actor.accountable in release.parties:
        raise Separation
    rule = _rule(release)
    return _Breaking(
        actor=actor,
        about=f"confirm {row.pk}",
        environment=release.environment.name,
        passkey=rule.passkey,
        words=words,
        release=release,
        request=request,
        rule=rule,
        role=CONFIRMER,
        glass=row,
    )


def _rule(release: Release) -> BreakGlassRule:
    if release.policy.break_glass is None:
        raise NoBreakGlass
    return release.policy.break_glass


def _refuse(release: Release, actor: Actor, permission: str) -> None:
    """Refuse who lacks the permission at this instant, whose last one nobody reviewed, what is
    held, and what no break-glass could start."""
    refuse_uncounted(actor)
    scope = scope_of(release)
    held = fresh_grants(actor.id, lock=True)
    if not any(g.permission == permission and g.scope.covers(scope) for g in held):
        raise NeedsPermission(actor, permission, scope=scope)
    overdue = (
        BreakGlass.objects.filter(
            Q(project=release.project_id) | Q(signatures__person=actor.id),
            state__in=(BreakGlassState.CONFIRMED, BreakGlassState.ENDED),
            review_due_at__lt=clock.now(),
        )
        .select_related("release")
        .first()
    )
    if overdue is not None:
        raise ReviewOverdue(
            f"The emergency release of release {overdue.release.number} was due for review by"
            f" {overdue.review_due_at:%d %B %H:%M} UTC: close that review first"
        )
    refuse_held(release, actor)
    results = foreseen(release)
    if not gates.passed(results):
        raise GatesFailed(
            "A gate that cannot be bypassed has not passed", errors=gates.faults(results)
        )


def _signature(
    glass: BreakGlass, signed: Signed, statement: BreakGlassStatement
) -> BreakGlassSignature:
    row = BreakGlassSignature(
        glass=glass,
        project_id=glass.project_id,
        person=statement.person,
        role=statement.role,
        comment_sealed=statement.comment_commitment,
        **stored(signed),
    )
    row.save(force_insert=True)
    return row
