"""Breaking the glass: one person opens an exception for one release, others confirm it.

Nobody is let past anything here that the policy in force does not let them past: what each signs
goes into the permit, and the permit is counted anew wherever the release is to run.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from apps.audit.actions import commitment_of, fresh_salt, record, seal
from apps.governance import gates
from apps.governance.actions.advance import approve_if_passed, store_gates
from apps.governance.actions.break_glass_ends import lock_glass
from apps.governance.actions.decisions import (
    check_shown,
    demand_session,
    refuse_recalled_passkey,
    refuse_uncounted,
)
from apps.governance.actions.locking import clean_text, lock_release
from apps.governance.errors import (
    Changed,
    Expired,
    GatesFailed,
    GlassState,
    NoBreakGlass,
    OwnGlass,
    ReviewOverdue,
    Separation,
)
from apps.governance.events import GLASS_CONFIRMED, GLASS_OPENED
from apps.governance.models import BreakGlass, BreakGlassSignature, Release
from apps.governance.queries.facts import foreseen
from apps.identity.errors import NeedsPasskey
from apps.identity.models import ApproverPasskey
from apps.identity.queries import fresh_grants, scope_of
from apps.identity.sign_in.freshness import demand_fresh
from apps.identity.trust import passkeys
from apps.identity.trust.passkeys import Question, public_half, signing_passkey
from placet.kernel import clock, keystore
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, Forbidden, InvalidInput
from placet.kernel.states import move
from placet_verify.permit.approvers import Signed
from placet_verify.permit.break_glass import CONFIRMER, OPENER, GlassRule, glass_rule
from placet_verify.signing.keys import KeyRing, PrivateKey
from placet_verify.statements import (
    APPROVE,
    BreakGlassStatement,
    PasskeyBreakGlass,
    RequestStatement,
    Statement,
    parse,
)

LONGEST = 2000  # characters of a reason


@dataclass(frozen=True, slots=True)
class _Ready:
    """A release for which somebody may open or confirm a break-glass, held."""

    release: Release
    request: RequestStatement
    rule: GlassRule
    about: str  # what a passkey is asked about
    role: str
    person: str
    words: str
    glass: BreakGlass | None = None  # that is to be confirmed
    lasting: timedelta = field(default_factory=timedelta)  # of one that is to be opened

    def statement(self, at: datetime, **signed: str) -> BreakGlassStatement:
        """Return what the person signs; with ``credential`` by that passkey."""
        kind = PasskeyBreakGlass if "credential" in signed else BreakGlassStatement
        return kind.on(
            self.request,
            verdict=APPROVE,
            person=self.person,
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
) -> Question:
    """Return what the actor's passkey (``passkey``, else the newest) signs to open it like this."""
    words = _checked(reason, actor)
    with transaction.atomic():
        return _asked(_openable(release, statement_digest, words, hours, actor), passkey, actor)


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
        ready = _openable(release, statement_digest, words, hours, actor)
        signed, statement = _signed(ready, assertion, signer, ring, actor)
        glass = BreakGlass(
            release=ready.release,
            project_id=ready.release.project_id,
            statement_digest=ready.release.request_digest,
            opening_digest=statement.digest,
            reason_sealed=statement.comment_commitment,
            people=ready.rule.people,
            review_days=ready.release.policy.document["break_glass"]["review_days"],
            opened_by=actor.id,
            opened_at=statement.at,
            until=statement.until,
        )
        glass.save(force_insert=True)
        own = _signature(glass, signed, statement)
        data = {"number": ready.release.number, "people": glass.people}
        log.add(GLASS_OPENED, glass, own, subject=ready.release.pk, data=data)
        return glass


def ask_to_confirm(
    glass: BreakGlass,
    *,
    opening_digest: str,
    comment: str = "",
    passkey: str = "",
    actor: Actor,
) -> Question:
    """Return what the actor's passkey (``passkey``, else the newest) signs to confirm it."""
    words = _checked(comment, actor, empty=True)
    with transaction.atomic():
        return _asked(_confirmable(glass, opening_digest, words, actor), passkey, actor)


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
        ready = _confirmable(glass, opening_digest, words, actor)
        row = ready.glass
        assert row is not None  # that is what it is about
        signed, statement = _signed(ready, assertion, signer, ring, actor)
        own = _signature(row, signed, statement)
        whole = row.signatures.count() >= row.people
        if whole:
            due = row.until + timedelta(days=row.review_days)
            confirmed = {"confirmed_at": statement.at, "review_due_at": due}
            move(row, expected="opened", to="confirmed", **confirmed)  # it is held
        data = {"number": ready.release.number, "role": own.role}
        log.add(GLASS_CONFIRMED, row, own, subject=ready.release.pk, data=data)
        if whole:
            results = store_gates(ready.release)
            if not approve_if_passed(ready.release, results, log):
                raise GatesFailed(errors=_held(results))
        return row


def _checked(words: str, actor: Actor, *, empty: bool = False) -> str:
    demand_session(actor)
    name = "comment" if empty else "reason"
    return clean_text(name, words, limit=LONGEST, empty=empty)


def _openable(
    release: Release, statement_digest: str, words: str, hours: int | None, actor: Actor
) -> _Ready:
    """Hold a release that the actor may open a break-glass for now."""
    row = lock_release(release, actor, "release.view")
    request = check_shown(row, statement_digest)
    rule = _rule(row)
    wanted = rule.hours if hours is None else hours
    if not 1 <= wanted <= rule.hours:
        detail = f"From 1 to {rule.hours}, as the policy says"
        raise InvalidInput(errors=[FieldError("/hours", detail)])
    _refuse(row, actor, "release.break_glass")
    if row.break_glasses.filter(state__in=("opened", "confirmed")).exists():
        raise GlassState("There is one for this release already")
    return _Ready(
        row, request, rule, f"break glass {row.pk}", OPENER, actor.id, words,
        lasting=timedelta(hours=wanted),
    )  # fmt: skip


def _confirmable(glass: BreakGlass, opening_digest: str, words: str, actor: Actor) -> _Ready:
    """Hold a break-glass that the actor may confirm now."""
    row = lock_glass(glass, actor, "release.view")
    if row.state != "opened":
        raise GlassState(f"The break-glass is {row.state} already")
    if opening_digest != row.opening_digest:
        raise Changed
    request = check_shown(row.release, row.statement_digest)
    if row.until <= clock.now():
        raise Expired("Its time is over: open another one")
    if row.signatures.filter(person=actor.id).exists():
        raise OwnGlass("You took part in it already: somebody else confirms it")
    _refuse(row.release, actor, "release.approve")
    if actor.accountable in row.release.parties:
        raise Separation
    about = f"confirm {row.pk}"
    return _Ready(
        row.release, request, _rule(row.release), about, CONFIRMER, actor.id, words, glass=row
    )


def _rule(release: Release) -> GlassRule:
    rule = glass_rule(release.policy.document)
    if rule is None:
        raise NoBreakGlass
    return rule


def _refuse(release: Release, actor: Actor, permission: str) -> None:
    """Refuse who lacks the permission at this instant, whose last one nobody reviewed, and what no
    break-glass could start."""
    refuse_uncounted(actor)
    scope = scope_of(release)
    held = fresh_grants(actor.id, lock=True)
    if not any(g.permission == permission and g.scope.covers(scope) for g in held):
        raise Forbidden(f"This needs the permission {permission}")
    overdue = BreakGlass.objects.filter(
        Q(project=release.project_id) | Q(signatures__person=actor.id),
        state__in=("confirmed", "ended"), review_due_at__lt=clock.now(),
    ).select_related("release").first()  # fmt: skip
    if overdue is not None:
        raise ReviewOverdue(
            f"The break-glass for release {overdue.release.number} was to be reviewed by"
            f" {overdue.review_due_at:%d %B %H:%M} UTC: nobody breaks the glass before that"
        )
    results = foreseen(release)
    if not gates.passed(results):
        raise GatesFailed("A gate that nobody gets past has not passed", errors=_held(results))


def _held(results: list[gates.GateResult]) -> list[FieldError]:
    return [
        FieldError(r["gate"], f"{r['title']}: {r['reason']}")
        for r in results
        if not r["passed"] and r["state"] != "skipped"
    ]


def _asked(ready: _Ready, passkey: str, actor: Actor) -> Question:
    own, salt = signing_passkey(actor, passkey), fresh_salt()
    statement = ready.statement(
        clock.now(),
        nonce=secrets.token_hex(16),
        comment_commitment=commitment_of(ready.words, salt) if ready.words else "",
        credential=own.credential,
    )
    notes = {"own": own.pk, "salt": salt.hex()}
    return passkeys.ask(actor, ready.about, statement.payload(), public_half(own), notes)


def _signed(
    ready: _Ready,
    assertion: Mapping[str, Any] | None,
    signer: PrivateKey,
    ring: KeyRing,
    actor: Actor,
) -> tuple[Signed, BreakGlassStatement]:
    """Sign it: with the passkey's answer, or without where nobody demands one."""
    if assertion is not None:
        signed = _by_passkey(ready, assertion, signer, ring, actor)
    elif ready.rule.passkey or ready.release.environment.name in ring.passkeys:
        raise NeedsPasskey("Sign it with your passkey, on the release's page")
    else:
        demand_fresh(actor)
        plain = ready.statement(
            clock.now(),
            nonce=secrets.token_hex(16),
            comment_commitment=seal(ready.words, person=actor.accountable) if ready.words else "",
        )
        signed = Signed(plain.sign(signer))
    statement = parse(signed.envelope.payload)
    assert isinstance(statement, BreakGlassStatement)  # made here
    return signed, statement


def _by_passkey(
    ready: _Ready,
    assertion: Mapping[str, Any],
    signer: PrivateKey,
    ring: KeyRing,
    actor: Actor,
) -> Signed:
    def made_again(asked: Statement, own: ApproverPasskey, notes: Mapping[str, str]) -> Statement:
        assert isinstance(asked, PasskeyBreakGlass)  # by what it was asked about
        words, salt = ready.words, bytes.fromhex(notes["salt"])
        return ready.statement(
            asked.at,
            nonce=asked.nonce,
            comment_commitment=(seal(words, person=actor.accountable, salt=salt) if words else ""),
            credential=own.credential,
        )

    signed = passkeys.completed(
        actor, ready.about, assertion, made_again=made_again, signer=signer, ring=ring
    )
    if signed is None:
        raise Changed("What your passkey signed is not this any more: begin again")
    refuse_recalled_passkey(signed)
    return signed


def _signature(
    glass: BreakGlass, signed: Signed, statement: BreakGlassStatement
) -> BreakGlassSignature:
    row = BreakGlassSignature(
        glass=glass,
        project_id=glass.project_id,
        person=statement.person,
        role=statement.role,
        comment_sealed=statement.comment_commitment,
        envelope=signed.envelope.to_json(),
        assertion=signed.assertion.to_dict() if signed.assertion else None,
    )
    row.save(force_insert=True)
    return row
