"""What the platform does by itself about an alert that wishes a rollback: at most one, once."""

from typing import Literal

from apps.audit.actions import record
from apps.monitoring.actions import note_answer
from apps.monitoring.models import UNRESOLVED, Alert
from apps.monitoring.queries import objective_of
from apps.rollouts.actions.abort_and_rollback import begin_going_back
from apps.rollouts.errors import RolloutOpen
from apps.rollouts.models import Rollout
from apps.rollouts.rules import OPEN_STATES
from apps.rollouts.states import RolloutKind
from apps.serving.models import Endpoint, Revision
from apps.serving.rules import RevisionState
from placet.kernel.actor import SYSTEM
from placet.kernel.keystore import ring
from placet.kernel.problems import Problem

RollbackOutcome = Literal["rolled_back", "left", "wait"]


def answer_alert(alert_id: str) -> RollbackOutcome:
    """Roll the alert's endpoint back if that is still called for, and note what was done.

    ``wait`` when a rollout is under way: ask again later. A rollback and the answer that names it
    are written in one transaction, so that a repeat finds both or neither.
    """
    alert = Alert.objects.select_related("endpoint__target").get(pk=alert_id)
    if alert.answer or alert.endpoint is None:
        return "left"
    rollouts = Rollout.objects.filter(endpoint=alert.endpoint)
    if rollouts.filter(state__in=OPEN_STATES).exclude(kind=RolloutKind.DRILL).exists():
        return "wait"
    if why_not := _why_not(alert, alert.endpoint):
        note_answer(alert, answer=f"Not rolled back: {why_not}", actor=SYSTEM)
        return "left"
    try:
        _go_back(alert, alert.endpoint)
    except RolloutOpen:  # somebody was first, or a drill is on its way back
        return "wait"
    except Problem as refusal:
        note_answer(alert, answer=f"Could not be rolled back: {refusal.detail}", actor=SYSTEM)
        return "left"
    return "rolled_back"


def _go_back(alert: Alert, endpoint: Endpoint) -> None:
    """Begin the rollback and note that it answers ``alert``: both, or neither."""
    keys = ring()  # a file: read before the transaction
    with record(SYSTEM) as log:
        reason = f"{alert.pk}: {alert.summary}"
        begun = begin_going_back(endpoint, keys, log, reason=reason)
        version = begun.to_revision.bento.version
        answer = f"Rolled back to {version} (revision {begun.to_revision.number})"
        # last: whoever ends drills holds the endpoint's rows before its alerts
        if not note_answer(alert, answer=answer, rollout=begun.pk, actor=SYSTEM):
            raise RolloutOpen  # another worker answered it meanwhile: a repeat finds that


def give_up(alert_id: str, error: str) -> None:
    """Note that the rollback failed for good, so that people are told."""
    alert = Alert.objects.get(pk=alert_id)
    note_answer(alert, answer=f"Could not be rolled back: {error}", actor=SYSTEM)


def _why_not(alert: Alert, endpoint: Endpoint) -> str:
    """Return why nothing is to be done by machine; '' when the rollback is called for.

    What a rollback brought back is never rolled back in turn: two versions that both fail would
    otherwise take the endpoint further and further back while nobody looks.
    """
    objective = objective_of(endpoint)
    if alert.state not in UNRESOLVED:
        return "it is over already"
    if objective is None or not objective.roll_back:
        return "the SLO does not ask for it any more"
    live = Revision.objects.filter(endpoint=endpoint, state=RevisionState.LIVE).first()
    if live is None or live.pk != alert.revision:
        return "another revision is live by now"
    last = Rollout.objects.filter(endpoint=endpoint, to_revision=live).order_by("-created_at")
    if (brought := last.first()) is not None and brought.kind == RolloutKind.ROLLBACK:
        return "this version is itself what the endpoint was rolled back to: people decide"
    return ""
