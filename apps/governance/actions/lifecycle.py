"""What rollouts tell governance, each called inside their unit of work: started, live, ended."""

from datetime import datetime
from typing import Any

from apps.audit.actions import Recorder, record
from apps.audit.events import EventKind
from apps.governance import gates, rules
from apps.governance.actions.advance import move_release, store_gates
from apps.governance.actions.after_stop import served_until
from apps.governance.actions.break_glass_ends import (
    broken_by,
    end_break_glasses_of,
    use_break_glass,
)
from apps.governance.actions.held import refuse_held
from apps.governance.actions.locking import demand_fresh_at, lock_release
from apps.governance.actions.policies import current_policy
from apps.governance.actions.releases import refuse_open
from apps.governance.errors import Expired, GatesFailed, PermitInvalid, WrongState
from apps.governance.events import (
    RELEASE_ABORTED,
    RELEASE_FAILED,
    RELEASE_LIVE,
    RELEASE_REOPENED,
    RELEASE_RESTORED,
    RELEASE_ROLLED_BACK,
    RELEASE_STARTED,
    RELEASE_SUPERSEDED,
)
from apps.governance.models import Decision, Release
from apps.governance.rules import RETRIABLE, ReleaseState
from apps.identity.trust import passkeys
from apps.serving.actions import release_prefetch
from apps.serving.hooks import keeper, refuse_recalled
from placet.kernel import clock, keystore
from placet.kernel.actor import SYSTEM, Actor
from placet_verify.errors import Refused
from placet_verify.permit.permit import Expected, build_permit, permit
from placet_verify.signing.dsse import Envelope
from placet_verify.signing.keys import KeyRing


def assemble_permit(release: Release) -> str:
    """Return the permit: the policy, the request and every decision that counts, as signed; where
    people broke the glass for it, what they signed.

    Raises ``Refused`` where a row has what nobody can have signed.
    """
    rows = (
        Decision.objects.filter(
            release=release, voided_reason="", statement_digest=release.request_digest
        )
        .order_by("created_at", "pk")
        .values_list("envelope", "assertion")
    )
    decisions = [passkeys.signed(envelope, assertion) for envelope, assertion in rows]
    policy = passkeys.signed(release.policy.envelope, release.policy.assertion)
    glass = broken_by(release)
    signed = (policy, *decisions, *glass)
    credentials = {one.assertion.credential for one in signed if one.assertion}
    enrolments = passkeys.enrolments(credentials) if credentials else []
    request = Envelope.from_json(release.request_envelope)
    return build_permit(policy, request, decisions, enrolments, glass)


def permit_to_hand_out(release: Release) -> str:
    """Return the same for who asks; raise :class:`PermitInvalid` where there is none."""
    try:
        return assemble_permit(release)
    except Refused as refusal:
        raise PermitInvalid(refusal.sentence, code=refusal.code) from refusal


def begin_rollout(release: Release, *, ring: KeyRing | None = None, actor: Actor) -> Release:
    """Move an approved release to ``rolling_out``, in the transaction that starts its rollout.

    Everything is asked again here: the time, every gate with what is live now, and the permit.
    ``ring`` is a file, so a caller inside a transaction has read it before.
    """
    ring = ring or keystore.ring()
    with record(actor) as log:
        row = lock_release(release, actor, "rollout.start")
        demand_fresh_at(row.policy, actor)
        now = clock.now()
        if row.state != ReleaseState.APPROVED:
            raise WrongState(f"The release is {row.get_state_display().lower()}")
        if row.not_after <= now:
            raise Expired
        busy = Release.objects.filter(
            endpoint=row.endpoint_id, state=ReleaseState.ROLLING_OUT
        ).first()
        if busy is not None:
            raise WrongState(f"Release {busy.number} is going out behind this endpoint")
        refuse_held(row, actor)
        _refuse_failed(store_gates(row))
        newest = current_policy(row.environment)
        _check_permit(row, ring, newest.number if newest else row.policy.number, now)
        if not move_release(row, expected=ReleaseState.APPROVED, to=ReleaseState.ROLLING_OUT):
            raise WrongState
        log.add(RELEASE_STARTED, row, data={"number": row.number})
        use_break_glass(row, log)
        return row


def _refuse_failed(results: list[gates.GateResult]) -> None:
    if not gates.passed(results):
        raise GatesFailed(errors=gates.faults(results))


def _check_permit(release: Release, ring: KeyRing, floor: int, now: datetime) -> None:
    expect = Expected(
        project=release.project_id,
        environment=release.environment.name,
        endpoint=release.endpoint_id,
        bento_digest=release.bento_id,
        serving=release.serving,
        release=release.pk,
    )
    try:
        permit(
            assemble_permit(release),
            ring,
            expect=expect,
            starting_at=now,
            policy_floor=floor,
            uncounted=keeper().uncounted(),
        )
    except Refused as refusal:
        raise PermitInvalid(refusal.sentence, code=refusal.code) from refusal


def reopen(release: Release, *, actor: Actor) -> Release:
    """Let a release whose rollout failed or was aborted start again on the approval that it has.

    Whether that still holds is asked when it starts: here only what ends it for good, the time and
    another request for the same Bento behind the same endpoint.
    """
    with record(actor) as log:
        row = lock_release(release, actor, "rollout.start")
        if row.state not in RETRIABLE:
            raise WrongState(f"The release is {row.get_state_display().lower()}")
        if row.not_after <= clock.now():
            raise Expired
        refuse_recalled(row.bento)
        refuse_open(row.endpoint, row.bento)
        _move(row, RETRIABLE, ReleaseState.APPROVED, ended_at=None, ended_reason="")
        log.add(RELEASE_REOPENED, row, data={"number": row.number})
        return row


def mark_live(release: Release, *, actor: Actor = SYSTEM) -> Release:
    """The endpoint serves this release alone; what was live before it is superseded."""
    with record(actor) as log:
        row = lock_release(release, actor, "rollout.start")
        _supersede(row, log)
        at = clock.now()
        times = {"live_at": at, "first_live_at": at, "ended_at": None}
        _move(row, ReleaseState.ROLLING_OUT, ReleaseState.LIVE, **times)
        log.add(RELEASE_LIVE, row, data={"number": row.number})
        release_prefetch(row.pk, actor=actor)
        return row


def _supersede(release: Release, log: Recorder) -> None:
    live = Release.objects.select_for_update(of=("self",), no_key=True).select_related(
        "environment"
    )
    for previous in live.filter(endpoint=release.endpoint_id, state=ReleaseState.LIVE).exclude(
        pk=release.pk
    ):
        _move(
            previous,
            ReleaseState.LIVE,
            ReleaseState.SUPERSEDED,
            ended_at=served_until(previous, release.endpoint),
        )
        data = {"number": previous.number, "by": release.number}
        log.add(RELEASE_SUPERSEDED, previous, data=data)


def mark_failed(release: Release, *, reason: str, actor: Actor = SYSTEM) -> Release:
    """The rollout did not reach the end; what was live stays live."""
    return _end(
        release, (ReleaseState.ROLLING_OUT,), ReleaseState.FAILED, RELEASE_FAILED, reason, actor
    )


def mark_aborted(
    release: Release, *, reason: str, asked_by: str = "", actor: Actor = SYSTEM
) -> Release:
    """Somebody (``asked_by``, an actor id) ended the rollout, or a recall did; what was live stays
    live."""
    states = (ReleaseState.ROLLING_OUT,)
    return _end(release, states, ReleaseState.ABORTED, RELEASE_ABORTED, reason, actor, asked_by)


def mark_rolled_back(
    release: Release,
    *,
    restored: Release | None = None,
    reason: str = "",
    asked_by: str = "",
    actor: Actor = SYSTEM,
) -> Release:
    """Somebody (``asked_by``, an actor id) or the platform took this release back; it soaked
    nothing. ``restored`` serves again instead."""
    states = (ReleaseState.LIVE, ReleaseState.ROLLING_OUT)
    with record(actor):
        kind = RELEASE_ROLLED_BACK
        row = _end(release, states, ReleaseState.ROLLED_BACK, kind, reason, actor, asked_by)
        if restored is not None:
            restore_live(restored, actor=actor)
        return row


def restore_live(release: Release, *, actor: Actor = SYSTEM) -> Release:
    """Make a superseded release live again after a rollback: no new approval is needed.

    Its soaking time starts anew, because it did not serve meanwhile.
    """
    with record(actor) as log:
        row = lock_release(release, actor, "rollout.operate")
        _supersede(row, log)
        _move(row, ReleaseState.SUPERSEDED, ReleaseState.LIVE, live_at=clock.now(), ended_at=None)
        log.add(RELEASE_RESTORED, row, data={"number": row.number})
        return row


def _end(
    release: Release,
    expected: tuple[str, ...],
    to: str,
    kind: EventKind,
    reason: str,
    actor: Actor,
    asked_by: str = "",
) -> Release:
    with record(actor) as log:
        row = lock_release(release, actor, "rollout.operate")
        _move(row, expected, to, ended_at=clock.now(), ended_reason=reason[:2000])
        asked = {"asked_by": asked_by} if asked_by and asked_by != actor.id else {}
        log.add(kind, row, data={"number": row.number, **asked})
        if to in rules.GLASS_ENDS:  # else it may be tried again
            end_break_glasses_of(row, log)
        release_prefetch(row.pk, actor=actor)
        return row


def _move(row: Release, expected: str | tuple[str, ...], to: str, **changes: Any) -> None:
    before = row.get_state_display().lower()
    if not move_release(row, expected=expected, to=to, **changes):
        raise WrongState(f"The release is {before}")
