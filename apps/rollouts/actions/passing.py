"""Skipping a step and promoting; and, where an analysis that people signed is gone past and the
policy asks for it, the second person who confirms that.

What is gone past is counted by :func:`apps.rollouts.rules.passed_over` alone, in the transaction
that does it. Nothing is done by asking: the rollout goes on meanwhile, and once it is at another
step there is nothing to confirm any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from apps.audit.actions import Recorder, record
from apps.audit.events import EventKind
from apps.governance.passing_over import ALLOW, FORBID, SECOND_PERSON
from apps.identity.queries import fresh_grants, people_names, scope_of
from apps.rollouts import rules
from apps.rollouts.actions.advance import carry_out
from apps.rollouts.actions.reasons import why
from apps.rollouts.actions.start import ring_reconciler
from apps.rollouts.actions.under_way import (
    carried,
    facts_of,
    locked,
    locked_to_go_on,
    note,
    time_left,
)
from apps.rollouts.errors import AnalysesKept, NoPassingAsked, OwnPassing, PassingAsked, StepMoved
from apps.rollouts.events import (
    ANALYSES_PASSED,
    PASSING_ASKED,
    PASSING_CONFIRMED,
    PASSING_DECLINED,
    PASSING_WITHDRAWN,
    ROLLOUT_PROMOTED,
    STEP_SKIPPED,
)
from apps.rollouts.models import Passing, Rollout
from apps.rollouts.passed import KeptAnalysis, digest_of, kept_of, said_of_forbidding
from apps.rollouts.queries import last_look
from apps.rollouts.rules import PROMOTE, SKIP, PassingVerb, RolloutSnapshot
from apps.rollouts.states import PassingState
from placet.kernel.actor import Actor, Grant
from placet.kernel.clock import now
from placet.kernel.problems import NeedsPermission
from placet.kernel.states import move

Held = frozenset[Grant]
ANSWERED = "It was answered or withdrawn meanwhile: look at the rollout again"


def go_past(log: Recorder, row: Rollout, verb: PassingVerb, reason: str) -> None:
    """Skip the present step of ``row``, which is held, or promote it: now, or once somebody else
    has confirmed that."""
    facts = facts_of(row)
    kept = kept_of(row.steps, facts, verb, last_look(row))
    says = row.release.policy.passing_over if kept else ALLOW
    if says == FORBID:
        raise AnalysesKept(said_of_forbidding(row, verb, kept))
    if says == SECOND_PERSON:
        _ask(log, row, verb, kept, reason)
        return
    made = _insert(log, row, verb, kept, reason, PassingState.DONE) if kept else None
    _do(log, row, verb, facts, reason)
    if made is not None:
        _log(log, ANALYSES_PASSED, made, row)


def confirm_passing(rollout: Rollout, *, digest: str, reason: str, actor: Actor) -> Rollout:
    """Have done what somebody asked a second person for, named by the ``digest`` that was shown.

    Needs ``rollout.operate``, held at this instant by somebody else than who asked, whoever answers
    for them; and who asked must still hold it too.
    """
    text = why(reason)
    with record(actor) as log:
        now_held, held = _both_now(rollout, actor)
        row = locked_to_go_on(rollout, now_held)
        asked = _asked(row, digest)
        if actor.accountable == asked.asker:
            raise OwnPassing
        if not _operates(row, held[actor.id]):  # a token has what its holder had a moment ago
            raise NeedsPermission(actor, "rollout.operate")
        if not _operates(row, held.get(asked.asked_by, frozenset())):
            raise NoPassingAsked("Who asked for it may not operate this rollout any more")
        facts, verb = facts_of(row), PROMOTE if asked.verb == PROMOTE else SKIP
        kept = kept_of(row.steps, facts, verb, last_look(row))
        if digest_of(row, verb, kept) != asked.digest:
            raise StepMoved
        _answer(asked, PassingState.DONE, actor, answer=text, analyses=kept)
        _do(log, row, verb, facts, text)
        _log(log, PASSING_CONFIRMED, asked, row)
    return row


def decline_passing(rollout: Rollout, *, digest: str, reason: str, actor: Actor) -> Rollout:
    """Decline what somebody asked a second person for. Needs ``rollout.operate``, and to be
    somebody else. The rollout goes on as it was."""
    text = why(reason)
    with record(actor) as log:
        row = locked(rollout, actor)
        asked = _asked(row, digest)
        if actor.accountable == asked.asker:
            raise OwnPassing("Someone else has to answer: withdraw what you asked for")
        _answer(asked, PassingState.DECLINED, actor, answer=text)
        _log(log, PASSING_DECLINED, asked, row)
    return row


def withdraw_passing(rollout: Rollout, *, digest: str, actor: Actor) -> Rollout:
    """Take back what one asked a second person for. Needs ``rollout.operate``."""
    with record(actor) as log:
        row = locked(rollout, actor)
        asked = _asked(row, digest)
        if actor.accountable != asked.asker:
            raise NoPassingAsked("Only who asked for it withdraws it: decline it instead")
        _answer(asked, PassingState.WITHDRAWN, actor)
        _log(log, PASSING_WITHDRAWN, asked, row)
    return row


def _both_now(rollout: Rollout, actor: Actor) -> tuple[Actor, Mapping[str, Held]]:
    """Return ``actor`` with the roles of this instant, and those of whoever asked last: they are
    held until the transaction ends, and before anything else is."""
    last = Passing.objects.filter(rollout=rollout, state=PassingState.ASKED).order_by("-asked_at")
    asked_by = last.values_list("asked_by", flat=True)[:1]
    held = {one: fresh_grants(one, lock=True) for one in sorted({actor.id, *asked_by})}
    now_held = actor if actor.token else replace(actor, grants=held[actor.id])
    return now_held, held


def _ask(
    log: Recorder, row: Rollout, verb: PassingVerb, kept: Sequence[KeptAnalysis], reason: str
) -> None:
    """Ask a second person. A second click finds it asked; another reason would be lost."""
    asked = Passing.objects.filter(rollout=row, step=row.step, state=PassingState.ASKED).first()
    if asked is None:
        made = _insert(log, row, verb, kept, reason, PassingState.ASKED)
        _log(log, PASSING_ASKED, made, row)
    elif (asked.verb, asked.asked_by, asked.reason) != (verb, log.actor.id, reason):
        name = people_names([asked.asked_by]).get(asked.asked_by, asked.asked_by)
        raise PassingAsked(
            f"{name} asked a second person to {asked.verb} at this step already: that is confirmed,"
            " declined or withdrawn first"
        )


def _asked(row: Rollout, digest: str) -> Passing:
    """Hold what waits for a second person at the present step, as it was shown."""
    asked = (
        Passing.objects.select_for_update(no_key=True)
        .filter(rollout=row, step=row.step, state=PassingState.ASKED)
        .first()
    )
    if asked is not None and asked.digest == digest:
        asked.rollout = row
        return asked
    if Passing.objects.filter(rollout=row, digest=digest).exclude(step=row.step).exists():
        raise StepMoved
    if asked is not None:
        raise NoPassingAsked("Something else waits for a second person: look at the rollout again")
    raise NoPassingAsked(ANSWERED)


def _operates(row: Rollout, held: Held) -> bool:
    """Tell whether somebody who holds this may operate a rollout: two people who may are needed."""
    scope = scope_of(row)
    return any(g.permission == "rollout.operate" and g.scope.covers(scope) for g in held)


def _insert(
    log: Recorder,
    row: Rollout,
    verb: PassingVerb,
    kept: Sequence[KeptAnalysis],
    reason: str,
    state: PassingState,
) -> Passing:
    made = Passing(
        project_id=row.project_id,
        rollout=row,
        verb=verb,
        step=row.step,
        analyses=list(kept),
        digest=digest_of(row, verb, kept),
        state=state,
        asked_by=log.actor.id,
        asker=log.actor.accountable,
        reason=reason,
        asked_at=now(),
    )
    made.save(force_insert=True)
    return made


def _answer(asked: Passing, to: PassingState, actor: Actor, **columns: Any) -> None:
    answered = {"answered_by": actor.id, "answered_at": now()}
    if not move(asked, expected=PassingState.ASKED, to=to, **answered, **columns):
        raise NoPassingAsked(ANSWERED)


def _do(
    log: Recorder, row: Rollout, verb: PassingVerb, facts: RolloutSnapshot, reason: str
) -> None:
    """Carry ``verb`` out: from a step that waits for the candidate, once it is ready."""
    columns: dict[str, Any] = {"reason": reason}
    if verb == SKIP:
        on, kind, data = rules.skip(facts), STEP_SKIPPED, {"step": row.step + 1}
    else:
        on, kind, data = rules.promote(facts), ROLLOUT_PROMOTED, {}
        columns |= {"promoted_by": log.actor.id, "paused_by": ""}
    if on is None:
        note(log, row, kind, deadline=time_left(row), **columns)
    else:
        carried(carry_out(log, row, on, asked=(kind, data), **columns))
        ring_reconciler(row)


def _log(log: Recorder, kind: EventKind, passing: Passing, row: Rollout) -> None:
    """Log it with its release, which says so for ever."""
    analyses = [{**one, "step": one["step"] + 1} for one in passing.analyses]
    data = {"verb": passing.verb, "count": len(analyses), "analyses": analyses}
    if passing.answered_by:
        data["requested_by"] = passing.asked_by
    log.add(kind, passing, row, subject=row.release_id, data=data)
