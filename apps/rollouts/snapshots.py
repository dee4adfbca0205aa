"""The facts that a decision is made of: what the rows say, and what the target was seen to do."""

from collections.abc import Mapping
from datetime import datetime

from apps.governance.plan import Plan
from apps.rollouts.models import Rollout
from apps.rollouts.rules import RevisionFacts, RolloutSnapshot
from apps.serving.drivers.base import Observation, RevisionObservation, StateGeneration
from apps.serving.models import Revision
from placet_verify.permit.scaling import scaling_of

NOTHING_SEEN = Observation(alive=False, seen_at=None, applied=StateGeneration(0, 0))


def snapshot(rollout: Rollout, seen: Observation, at: datetime) -> RolloutSnapshot:
    """Return the facts that a decision is made of."""
    state_generation = StateGeneration(rollout.told_epoch, rollout.told_number)
    fresh = rollout.commanded >= rollout.generation and seen.has_seen(state_generation)
    stable = rollout.from_revision
    return RolloutSnapshot(
        state=rollout.state,
        kind=rollout.kind,
        now=at,
        deadline=rollout.deadline,
        entered_at=rollout.entered_at,
        fresh=fresh,
        by_operator=bool(rollout.aborted_by),
        plan=Plan.stored(rollout.release.plan),
        candidate=facts(rollout.to_revision, seen.revisions),
        stable=facts(stable, seen.revisions) if stable is not None else None,
        step=rollout.step,
        paused=bool(rollout.paused_by),
        promoted=bool(rollout.promoted_by),
        alive=seen.alive,
    )


def facts(revision: Revision, seen: Mapping[str, RevisionObservation]) -> RevisionFacts:
    """Put together what a revision's row says and what its target reports."""
    row = seen.get(revision.pk)
    if row is None:
        return RevisionFacts(
            revision.state, revision.weight, revision.replicas, scaling=scaling_of(revision.serving)
        )
    return RevisionFacts(
        state=revision.state,
        weight=revision.weight,
        replicas=revision.replicas,
        phase=row.phase,
        ready_replicas=row.ready_replicas,
        applied_weight=row.weight,
        detail=row.detail,
        same_bytes=row.bento_digest in ("", revision.bento_id),
        aborted=row.aborted,
        scaling=scaling_of(revision.serving),
    )
