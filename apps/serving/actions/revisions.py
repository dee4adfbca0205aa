"""Revisions: adding one with its permit, and moving it by compare-and-set.

These are steps of a rollout, which has authorised the person; here the permit is what counts, and
it is checked whoever asks.
"""

import secrets
from datetime import datetime
from typing import Any

from django.db.models import Max

from apps.audit.actions import record
from apps.builds.models import Bento
from apps.serving import desired
from apps.serving.actions.locking import lock_endpoint, lock_target
from apps.serving.capacity import lacking, needed_mb, occupants
from apps.serving.errors import NoRoom, NotPermitted, RevisionMoved, WrongEndpointState
from apps.serving.events import REVISION_ADDED, REVISION_CHANGED
from apps.serving.hooks import keeper, refuse_recalled
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import (
    ENDED,
    TRIED,
    EndpointState,
    RevisionState,
    ServingConfig,
    may_move,
    serving_config,
    to_evict,
)
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.states import move
from placet_protocol.guard import GuardEntry
from placet_protocol.state import HeaderRouteEntry
from placet_verify.permit.permit import Expected, Permit, PermitRefused
from placet_verify.permit.permit import permit as verify_permit
from placet_verify.signing.keys import KeyRing
from placet_verify.units import WHOLE


def check_permit(
    document: str,
    ring: KeyRing,
    *,
    endpoint: Endpoint,
    bento: Bento,
    release: str,
    serving: dict[str, Any],
    starting_at: datetime | None,
) -> Permit:
    """Return the permit when it lets exactly this run here, or raise :class:`NotPermitted`.

    ``starting_at`` is ``None`` for what was started before: no passing of time stops it. Only a
    recall does: then it is :class:`Recalled`.
    """
    refuse_recalled(bento)
    expect = Expected(
        project=endpoint.project_id,
        environment=endpoint.environment,
        endpoint=endpoint.pk,
        bento_digest=bento.digest,
        serving=serving,
        release=release,
    )
    try:
        return verify_permit(
            document, ring, expect=expect, starting_at=starting_at, uncounted=keeper().uncounted()
        )
    except PermitRefused as refusal:
        problem = NotPermitted(refusal.sentence, code=refusal.code)
        raise problem from refusal


def add_revision(
    endpoint: Endpoint,
    *,
    bento: Bento,
    release: str,
    permit: str,
    serving: dict[str, Any],
    ring: KeyRing,
    actor: Actor,
    guard: GuardEntry | None = None,
) -> Revision:
    """Put ``bento`` behind ``endpoint`` at weight 0, to run, under ``guard`` until it is live.

    Raises :class:`NotPermitted` unless the permit allows precisely this, now.
    """
    check_permit(
        permit,
        ring,
        endpoint=endpoint,
        bento=bento,
        release=release,
        serving=serving,
        starting_at=now(),
    )
    config = serving_config(serving)
    with record(actor) as log:
        row = lock_endpoint(endpoint.pk)
        if row.state != EndpointState.ACTIVE:
            raise WrongEndpointState(f"The endpoint is {row.state}: start it first")
        make_room(row, needed_mb(serving), actor=actor)
        revision = _next_revision(
            row, bento, config, release=release, permit=permit, serving=serving, guard=guard or None
        )
        log.add(REVISION_ADDED, revision, data={"number": revision.number, "bento": bento.digest})
        desired.publish(row.target_id)
    return revision


def _next_revision(
    endpoint: Endpoint, bento: Bento, config: ServingConfig, **documents: Any
) -> Revision:
    number = (endpoint.revisions.aggregate(last=Max("number"))["last"] or 0) + 1
    return Revision.objects.create(
        endpoint=endpoint,
        project_id=endpoint.project_id,
        bento=bento,
        number=number,
        salt=secrets.token_hex(8),  # of its own: the same units are not tried on each time
        **documents,
        **_wished(config),
    )


def _wished(config: ServingConfig) -> dict[str, Any]:
    return {
        "replicas": config.replicas,
        "memory_mb": config.memory_mb,
        "variables": dict(config.variables),
    }


def make_room(endpoint: Endpoint, needed_mb: int, *, actor: Actor) -> None:
    """Drain warm revisions of the target, longest warm first, until ``needed_mb`` more fit.

    The target is held until the transaction ends: of two at once the second sees the first. Hold
    it before any revision is moved, for who makes room may want that one.
    """
    target = lock_target(endpoint.target_id)
    rows = occupants(target)
    chosen = to_evict(rows, capacity_mb=target.capacity_mb, needed_mb=needed_mb)
    if chosen is None:
        raise NoRoom(lacking(target, rows, needed_mb, endpoint.project_id))
    for revision in Revision.objects.filter(pk__in=chosen).select_related("endpoint"):
        set_revision(revision, state=RevisionState.DRAINING, actor=actor)


def set_revision(
    revision: Revision,
    *,
    actor: Actor,
    state: str | None = None,
    weight: int | None = None,
    warm_until: datetime | None = None,
    header_route: HeaderRouteEntry | None = None,
    mirror: int | None = None,
    replicas: int | None = None,
    by_itself: bool = False,
) -> Revision:
    """Move ``revision`` from what the caller read to ``state`` and ``weight``, or raise.

    What is not given stays; testers, copies and guard end when it is tried out no more. The log
    says that it failed where it did so ``by_itself``, and else that it ended.
    Raises :class:`RevisionMoved` when somebody else was first. Only a revision that runs carries
    weight, and all weights behind an endpoint together are at most 10,000: lower the old one
    before raising the new one.
    """
    before, after = revision.state, state or revision.state
    if not may_move(before, after):
        raise RevisionMoved(f"A revision cannot go from {before} to {after}")
    target_weight = 0 if after in ENDED else revision.weight if weight is None else weight
    changes: dict[str, Any] = {
        "weight": target_weight,
        "warm_until": warm_until,
        "header_route": header_route or revision.header_route,
        **_given(mirror=mirror, replicas=replicas),
        **_follows(revision, after, target_weight),
    }
    with record(actor) as log:
        _check_sum(revision, target_weight)
        if not move(revision, expected=before, to=after, **changes):
            raise RevisionMoved
        data = {"number": revision.number, "state": after, "weight": target_weight}
        fails = by_itself and before != after  # what a recall ended may be told so again
        log.add(REVISION_CHANGED, revision, data=data | _outcome(after, by_itself=fails))
        desired.publish(revision.endpoint.target_id)
    return revision


def _given(**columns: int | None) -> dict[str, int]:
    return {name: value for name, value in columns.items() if value is not None}


def _outcome(after: str, *, by_itself: bool) -> dict[str, str]:
    return {"outcome": "failed"} if by_itself and after == RevisionState.FAILED else {}


def _follows(revision: Revision, after: str, weight: int) -> dict[str, Any]:
    """Return what follows from the weight and the state: when it had requests, when it went live
    or left service (not when its processes ended), and that only a revision which is tried out has
    testers, copies, a guard."""
    before, changes = revision.state, _served(revision, weight)
    if after == RevisionState.LIVE and before != RevisionState.LIVE:
        changes["live_at"] = now()
    if after == RevisionState.DRAINING != before or (after in ENDED and revision.ended_at is None):
        changes["ended_at"] = now()
    elif before in ENDED and after not in ENDED:  # it is started again
        changes["ended_at"] = None
    if after in TRIED:
        return changes
    return changes | {"header_route": None, "mirror": 0, "guard": None}


def _served(revision: Revision, weight: int) -> dict[str, Any]:
    """Return what follows from the weight: from when until when it had requests, and how many.

    Of one that had some before this was written down, since it went live. While its endpoint is
    stopped none has any: :func:`count_again` sees to that as it is started.
    """
    if not weight and not revision.weight:
        return {}
    before = revision.live_at if revision.weight else None
    stopped, served = revision.endpoint.is_stopped, revision.first_served_at or before
    if stopped and (weight or not served or revision.last_served_at):
        return {}
    counted = stopped and revision.first_served_at  # else its weight may be from before that
    return {
        "first_served_at": served or now(),
        "last_served_at": None if weight else _last_asked(revision),
        "peak_weight": max(revision.peak_weight, 0 if counted else max(revision.weight, weight)),
    }


def count_again(endpoint: Endpoint, *, actor: Actor) -> None:
    """Write down what revisions get from now on, as ``endpoint`` was started, that they were given
    while it was stopped."""
    for revision in endpoint.revisions.filter(weight__gt=0):
        known = _served(revision, revision.weight)
        if any(getattr(revision, name) != value for name, value in known.items()):
            set_revision(revision, warm_until=revision.warm_until, actor=actor)


def _last_asked(revision: Revision) -> datetime:
    """Return until when a revision had requests that has none from now on: no longer than until its
    endpoint was stopped."""
    stopped = revision.endpoint.stopped_at
    return now() if stopped is None else max(stopped, revision.first_served_at or stopped)


def _check_sum(revision: Revision, weight: int) -> None:
    if not weight:  # breaks no sum, so whoever makes room waits for no other endpoint
        return
    lock_endpoint(revision.endpoint_id)
    others = Revision.objects.filter(endpoint=revision.endpoint_id).exclude(pk=revision.pk)
    taken = sum(others.values_list("weight", flat=True))
    if taken + weight > WHOLE:
        raise RevisionMoved(f"{taken} of {WHOLE} are given to other revisions already")
