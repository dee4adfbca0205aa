"""One pass over a rollout: load, observe, decide purely, store the decision, tell the driver once.

A pass may be repeated, interrupted anywhere and run twice at a time. What makes that harmless:

- a decision is stored by compare-and-set on the rollout's ``generation``;
- a generation is told to the driver only by who claimed it, and ``commanded`` says that it was;
- what a target reports counts only when it was observed after the last command had arrived.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum

import structlog
from django.db.models import Q

from apps.jobs.each import each
from apps.rollouts import actions
from apps.rollouts.actions.advance import Fence
from apps.rollouts.analysis import KeptVerdict, judged_by
from apps.rollouts.measurements import due, judged
from apps.rollouts.models import Rollout
from apps.rollouts.queries import last_look
from apps.rollouts.rules import DRAIN_SECONDS, OPEN_STATES, RolloutSnapshot, next_step
from apps.rollouts.snapshots import snapshot
from apps.rollouts.states import RolloutState
from apps.serving.drivers.base import Observation
from apps.serving.drivers.kinds import driver_for
from apps.serving.models import Revision, Target
from apps.serving.rules import RevisionState
from placet.kernel.clock import database_now, now
from placet.kernel.faults import crash_point
from placet_protocol.report import ENDED_PHASES

CLAIM_SECONDS = 10  # a command is a signature, or one call: if it takes longer, somebody died
MAX_PASSES = 8
log = structlog.get_logger(__name__)


class Pass(Enum):
    """How one pass ended."""

    MOVED = "stored a decision and told the driver"
    TOLD = "told the driver what was stored before"
    WAITING = "nothing to do until something is observed"
    BUSY = "someone else was first"
    ENDED = "the rollout has ended and the driver knows"


def reconcile(rollout_id: str, job: Fence) -> Pass:
    """Pass over the rollout until it waits for something, and return how the last pass ended."""
    last = Pass.WAITING
    for _ in range(MAX_PASSES):
        last = one_pass(rollout_id, job)
        if last not in (Pass.MOVED, Pass.TOLD):
            break
    return last


def one_pass(rollout_id: str, job: Fence) -> Pass:
    """See the module."""
    rollout = load(rollout_id)
    is_open, commanded = rollout.state in OPEN_STATES, rollout.commanded >= rollout.generation
    if not is_open and commanded:
        return Pass.ENDED
    late = rollout.state == RolloutState.STARTING and now() >= rollout.deadline
    overdue = late and not rollout.paused_by
    if not commanded and not (is_open and overdue):
        return Pass.TOLD if command(rollout, job) else Pass.BUSY
    target = rollout.endpoint.target
    facts = snapshot(rollout, driver_for(target).observe(target), now())
    to_judge = rollout.judged_step is not None and not facts.candidate.aborted
    verdict = judge(rollout, facts, job) if to_judge else None
    intent = next_step(facts if verdict is None else knowing(facts, verdict))
    if intent.to is None:
        return Pass.WAITING
    crash_point("rollouts.before_store")
    if not actions.advance(rollout, intent, job=job, verdict=verdict):
        return Pass.BUSY
    log.info("rollout_moved", rollout=rollout.pk, to=intent.to)
    crash_point("rollouts.after_store")
    command(rollout, job)
    return Pass.MOVED


def judge(rollout: Rollout, facts: RolloutSnapshot, job: Fence) -> KeptVerdict:
    """Return what the analysis says, by a new look or, a moment after one, by the last.

    The last is good enough to wait on. Nobody goes on or back by it: meanwhile something may have
    been reported, or a rollout that was held since may be let go.
    """
    last = last_look(rollout)
    if last is not None and not due(last, facts):
        kept: KeptVerdict = last.verdict
        if next_step(knowing(facts, kept)).to is None:
            return kept
    verdict = judged(rollout, facts)
    actions.keep_look(rollout, verdict, at=facts.now, job=job)
    return verdict


def knowing(facts: RolloutSnapshot, verdict: KeptVerdict) -> RolloutSnapshot:
    """Return ``facts`` with what an analysis says."""
    return replace(facts, judged=judged_by(verdict))


def load(rollout_id: str) -> Rollout:
    """Return the rollout with everything that a pass looks at."""
    return Rollout.objects.select_related(
        "release",
        "endpoint__target",
        "endpoint__project",
        "from_revision__bento__version__model",
        "from_revision__endpoint",
        "to_revision__bento__version__model",
        "to_revision__endpoint",
    ).get(pk=rollout_id)


def command(rollout: Rollout, job: Fence) -> bool:
    """Tell the driver the rollout's present generation, unless somebody else does or did."""
    if not claim(rollout):
        return False
    target = rollout.endpoint.target
    crash_point("rollouts.before_command")
    try:
        receipt = driver_for(target).apply(target)
    except Exception:
        give_up_claim(rollout)
        raise
    crash_point("rollouts.after_command")
    return actions.record_command(rollout, receipt, job=job)


def claim(rollout: Rollout) -> bool:
    """Take the right to tell the driver this generation: one holder at a time."""
    at = database_now()
    free = Q(claimed__lt=rollout.generation) | Q(claimed_until__lt=at)
    return bool(
        Rollout.objects.filter(
            free, pk=rollout.pk, generation=rollout.generation, commanded__lt=rollout.generation
        ).update(claimed=rollout.generation, claimed_until=at + timedelta(seconds=CLAIM_SECONDS))
    )


def give_up_claim(rollout: Rollout) -> None:
    """Let the next pass try at once."""
    Rollout.objects.filter(pk=rollout.pk, claimed=rollout.generation).update(claimed=-1)


def look_after(target: Target, job: Fence) -> dict[str, int]:
    """Do what no open rollout does, by one observation; return how often what was done.

    A revision that this cannot be done with stops no other: what it raised is raised at the end.
    """
    seen, faults = driver_for(target).observe(target), list[Exception]()
    went_back = actions.go_back_after_abort(target, seen, faults)
    settled = settle(target, seen, job, faults)
    if faults:
        raise faults[0]
    return {"went_back": went_back, "settled": settled}


def settle(target: Target, seen: Observation, job: Fence, faults: list[Exception]) -> int:
    """Drain warm revisions whose time is over, and end drained ones that no rollout minds."""
    at = now()
    busy = set(
        Rollout.objects.filter(endpoint__target=target, state__in=OPEN_STATES).values_list(
            "from_revision_id", "to_revision_id"
        )
    )
    minded = {pk for pair in busy for pk in pair}

    def move(revision: Revision) -> bool:
        if revision.state == RevisionState.WARM:
            over = revision.warm_until is not None and revision.warm_until <= at
            over = over and not _stands_in(revision, seen)
            return over and actions.retire(revision, state=RevisionState.DRAINING, job=job)
        drained = _drained(revision, seen, at)
        return drained and actions.retire(revision, state=RevisionState.STOPPED, job=job)

    rows = Revision.objects.filter(
        endpoint__target=target, state__in=(RevisionState.WARM, RevisionState.DRAINING)
    )
    idle = rows.exclude(pk__in=[pk for pk in minded if pk]).select_related("endpoint")
    return sum(each(move, idle, faults))


def _stands_in(warm: Revision, seen: Observation) -> bool:
    """Tell whether ``warm`` answers requests, because what is live does not."""
    row = seen.revisions.get(warm.pk)
    return row is not None and row.weight > 0


def _drained(revision: Revision, seen: Observation, at: datetime) -> bool:
    row = seen.revisions.get(revision.pk)
    if row is not None and row.phase in ENDED_PHASES:
        return True  # of what it says nothing of, it may not have heard yet
    since = revision.ended_at or revision.created_at
    return at >= since + timedelta(seconds=DRAIN_SECONDS)
