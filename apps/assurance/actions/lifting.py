"""Lifting a recall: another person says that it no longer counts. The releases stay revoked."""

from apps.assurance.actions.recalling import targets_of
from apps.assurance.errors import AlreadyLifted, OwnDecisions, OwnRecall
from apps.assurance.events import RECALL_LIFTED
from apps.assurance.models import Recall, RecallState
from apps.assurance.queries.alerts import alerts_of
from apps.assurance.queries.lifters import LIFT, ask_a_lifter, parties_of
from apps.assurance.queries.visible_recalls import whose_decisions
from apps.audit.actions import record, seal
from apps.identity.actions.checks import by_person
from apps.identity.queries import authorize, scope_of
from apps.identity.sign_in.freshness import demand_fresh
from apps.monitoring.actions import note_withdrawn
from apps.serving.desired import publish, together
from placet.kernel import keystore
from placet.kernel.actor import SYSTEM, Actor
from placet.kernel.clock import now
from placet.kernel.problems import NeedsPermission
from placet.kernel.states import move
from placet.kernel.texts import clean_text
from placet_verify.statements import LiftStatement


def lift(recall: Recall, *, reason: str, actor: Actor) -> Recall:
    """Let what was recalled be asked for again. Needs ``recall.lift``, and another person than
    who recalled it, in a session; nobody gives their own decisions back.

    Nothing starts by it: whatever is to run again is requested and approved anew.
    """
    signer = keystore.signer("decision")
    text = clean_text("reason", reason, limit=2000)
    with record(actor) as log:
        rows = Recall.objects.select_for_update(of=("self",), no_key=True).select_related("project")
        row = rows.get(pk=recall.pk)
        _check(row, actor)
        demand_fresh(actor)
        sealed = seal(text, person=actor.accountable)
        statement = LiftStatement(
            recall=row.pk,
            recall_digest=row.statement_digest,
            by=actor.id,
            reason=sealed,
            at=now(),
        )
        if not move(
            row,
            expected=RecallState.STANDING,
            to=RecallState.LIFTED,
            lifted_by=actor.id,
            lift_reason_sealed=sealed,
            lift_envelope=statement.sign(signer).to_json(),
            lifted_at=statement.at,
        ):
            raise AlreadyLifted
        with together():
            for target in targets_of(row):
                publish(target)
        log.add(RECALL_LIFTED, row, data={"kind": row.kind})
        for alert in alerts_of(row).order_by("pk"):
            note_withdrawn(alert, at=statement.at, actor=SYSTEM)
        return row


def _check(recall: Recall, actor: Actor) -> None:
    try:
        authorize(actor, LIFT, recall, view="recall.view")
    except NeedsPermission:
        _refuse_party(recall, actor)  # no role would help them
        parties = parties_of(recall)
        raise NeedsPermission(actor, LIFT, scope=scope_of(recall), without=parties) from None
    by_person(actor)
    _refuse_party(recall, actor)


def _refuse_party(recall: Recall, actor: Actor) -> None:
    if actor.accountable == recall.recaller:
        raise OwnRecall(ask_a_lifter(recall, actor))
    if actor.accountable in whose_decisions(recall):
        raise OwnDecisions(ask_a_lifter(recall, actor))
