"""How a break-glass is used, how it ends, and the review that somebody else must close."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from apps.audit.actions import Recorder, record, seal
from apps.governance import gates
from apps.governance.actions.advance import move_release, store_gates
from apps.governance.actions.locking import lock_release
from apps.governance.errors import OwnBreakGlass, WrongBreakGlassState
from apps.governance.events import GLASS_ENDED, GLASS_LAPSED, GLASS_REVIEWED, GLASS_USED
from apps.governance.models import BreakGlass, BreakGlassSignature, Release
from apps.governance.rules import (
    GLASS_ENDS,
    GLASS_OPEN,
    STARTED,
    STARTED_WITHOUT,
    STARTER_LEFT,
    BreakGlassState,
    ReleaseState,
)
from apps.identity.models import User
from apps.identity.queries import authorize
from apps.identity.sign_in.freshness import demand_fresh, demand_session
from apps.identity.trust import passkeys
from apps.jobs.each import each
from placet.kernel import clock
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.problems import FieldError, Forbidden, InvalidInput, NotFound
from placet.kernel.states import move
from placet.kernel.texts import clean_text
from placet_verify.permit.approvers import Signed

BATCH = 200
# nothing is started by one any more
POINTLESS = Q(release__state__in=GLASS_ENDS) | Q(release__state__in=STARTED, used_at__isnull=True)
FINDINGS = ("justified", "not_justified")


def lock_break_glass(glass: BreakGlass, actor: Actor, permission: str) -> BreakGlass:
    """Hold a break-glass behind its release."""
    unlocked = BreakGlass.objects.filter(pk=glass.pk).select_related("release").first()
    if unlocked is None:
        raise NotFound
    release = lock_release(unlocked.release, actor, permission)
    row = BreakGlass.objects.select_for_update(of=("self",), no_key=True).get(pk=unlocked.pk)
    row.release = release
    return row


def broken_by(release: Release) -> list[Signed]:
    """Return what people signed to break the glass, where that is what ``release`` starts by."""
    if not any(result["state"] == "skipped" for result in release.gates):
        return []
    glass = _confirmed(release)
    if glass is None:
        return []
    rows = BreakGlassSignature.objects.filter(glass=glass).order_by("created_at", "pk")
    return [passkeys.signed(*row) for row in rows.values_list("envelope", "assertion")]


def use_break_glass(release: Release, log: Recorder) -> None:
    """Remember that ``release`` is started by its break-glass, where it is; else end what is open,
    which it goes on without."""
    if not any(result["state"] == "skipped" for result in release.gates):
        end_break_glasses_of(release, log)
        return
    glass = _confirmed(release)
    if glass is not None:
        glass.used_at = clock.now()
        glass.save(update_fields=["used_at"])
        data = {"number": release.number}
        log.add(GLASS_USED, glass, subject=release.pk, data=data)


def _confirmed(release: Release) -> BreakGlass | None:
    rows = BreakGlass.objects.filter(
        release=release, statement_digest=release.request_digest, confirmed_at__isnull=False
    )
    return rows.select_related("release__environment").order_by("-confirmed_at").first()


def end_break_glass(glass: BreakGlass, *, actor: Actor) -> BreakGlass:
    """End a break-glass before its time: what has not been started by it is not started.

    By whoever may open or confirm one there. What serves goes on, and its review stays open.
    """
    demand_session(actor)
    with record(actor) as log:
        row = lock_break_glass(glass, actor, "release.view")
        try:
            authorize(actor, "release.break_glass", row, view="release.view")
        except Forbidden:
            authorize(actor, "release.approve", row, view="release.view")
        if not end_locked_break_glass(row, log):
            raise WrongBreakGlassState("The emergency release has ended already")
        return row


def review_break_glass(
    glass: BreakGlass, *, finding: str, findings: str, actor: Actor
) -> BreakGlass:
    """Close the review of a break-glass that has ended, with what was found.

    Needs ``break_glass.review``; by nobody who took part in it, asked for the release or made its
    version.
    """
    demand_session(actor)
    if finding not in FINDINGS:
        raise InvalidInput(errors=[FieldError("/finding", f"One of {', '.join(FINDINGS)}")])
    text = clean_text("findings", findings, limit=4000)
    with record(actor) as log:
        row = lock_break_glass(glass, actor, "break_glass.review")
        demand_fresh(actor)
        signed = set(row.signatures.values_list("person", flat=True))
        if actor.accountable in signed.union(row.release.parties):
            raise OwnBreakGlass("You took part in it or in the release: someone else reviews it")
        reviewed = {
            "reviewed_at": clock.now(),
            "reviewed_by": actor.id,
            "finding": finding,
            "findings_sealed": seal(text, person=actor.accountable),
        }
        if row.state == BreakGlassState.CONFIRMED:
            raise WrongBreakGlassState("It is still active: end it first")
        if not move(row, expected=BreakGlassState.ENDED, to=BreakGlassState.REVIEWED, **reviewed):
            raise WrongBreakGlassState("It has no open review")
        data = {"number": row.release.number, "finding": finding}
        log.add(GLASS_REVIEWED, row, subject=row.release_id, data=data)
        return row


def end_locked_break_glass(glass: BreakGlass, log: Recorder, **told: Any) -> bool:
    """End a break-glass whose release is held; ``False`` when it has ended already.

    A release that was approved by it and has not started waits for the whole quorum again. ``told``
    is what the log says of why, where neither who did it nor what became of the release does.
    """
    confirmed = glass.state == BreakGlassState.CONFIRMED
    to = BreakGlassState.ENDED if confirmed else BreakGlassState.LAPSED
    kind = GLASS_ENDED if confirmed else GLASS_LAPSED
    if not move(glass, expected=GLASS_OPEN, to=to, ended_at=clock.now()):
        return False
    release = glass.release
    if confirmed and release.state == ReleaseState.APPROVED:
        results = store_gates(release)
        if not gates.passed(results):
            move_release(
                release, expected=ReleaseState.APPROVED, to=ReleaseState.REQUESTED, approved_at=None
            )
    because = _because(glass)
    data = {"number": release.number, **({"because": because} if because else told)}
    log.add(kind, glass, release, subject=release.pk, data=data)
    return True


def _because(glass: BreakGlass) -> str:
    """Return what became of the release, where that ends its break-glass; '' where it goes on."""
    state = glass.release.state
    unused = state in STARTED and not glass.used_at
    return STARTED_WITHOUT if unused else GLASS_ENDS.get(state, "")


def end_break_glasses_of(release: Release, log: Recorder, **told: Any) -> None:
    """End what is open for ``release``, which is held: it is over, or not what people signed any
    more (``told`` says why), or goes on without it."""
    rows = BreakGlass.objects.filter(release=release, state__in=GLASS_OPEN)
    for glass in rows.select_for_update(of=("self",), no_key=True):
        glass.release = release
        end_locked_break_glass(glass, log, **told)


def end_started_by(person: User, actor: Actor) -> None:
    """End every break-glass that ``person``, whom ``actor`` deactivates, has started and that
    waits for its co-signatures: nobody who answers for it is left."""
    with record(actor) as log:
        waiting = BreakGlass.objects.filter(opened_by=person.pk, state=BreakGlassState.OPENED)
        for glass in waiting.order_by("release_id"):  # as releases are held: by their ids
            row = lock_break_glass(glass, SYSTEM, "release.view")
            if row.state == BreakGlassState.OPENED:
                end_locked_break_glass(row, log, why=STARTER_LEFT)


def end_break_glasses_due(now: datetime | None = None) -> int:
    """End every break-glass whose time is over, or whose release is, or that somebody started who
    left meanwhile; return how many."""
    at = now or clock.now()
    ends = Q(until__lte=at) | POINTLESS | _forsaken()
    due = BreakGlass.objects.filter(ends, state__in=GLASS_OPEN)
    faults: list[Exception] = []
    ended = sum(each(lambda glass: _end(glass, at), due.order_by("until")[:BATCH], faults))
    if faults:
        raise faults[0]
    return ended


def _end(glass: BreakGlass, at: datetime) -> bool:
    with record(SYSTEM) as log:
        row = lock_break_glass(glass, SYSTEM, "release.view")
        if row.until <= at or _because(row):
            return end_locked_break_glass(row, log)
        if not BreakGlass.objects.filter(_forsaken(), pk=row.pk).exists():
            return False
        return end_locked_break_glass(row, log, why=STARTER_LEFT)


def _forsaken() -> Q:
    """Return the condition that one waits whose starter was deactivated, since before that ended
    it or as they started it."""
    gone = User.objects.filter(pk=OuterRef("opened_by"), is_active=False)
    return Q(Exists(gone), state=BreakGlassState.OPENED)
