"""Opening alerts, taking them on, and ending them.

Alerts are opened and, where a condition is measured, ended by the watching job; the compare-and-set
and the constraint of one unresolved alert make a repeat harmless. Mails go out by a job after
commit, never from here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from apps.audit.actions import Recorder, record
from apps.identity.queries import authorize
from apps.jobs.actions import enqueue
from apps.monitoring.errors import AlertMoved, ResolvesItself
from apps.monitoring.events import (
    ALERT_ACKNOWLEDGED,
    ALERT_ANSWERED,
    ALERT_OPENED,
    ALERT_RECALL_WITHDRAWN,
    ALERT_RESOLVED,
)
from apps.monitoring.models import UNRESOLVED, Alert, AlertKind, AlertState
from apps.monitoring.rules import RECALL_WITHDRAWN
from apps.serving.models import Endpoint
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.states import move


@dataclass(frozen=True, slots=True)
class AlertFinding:
    """Something that is wrong: what the alert about it will say."""

    kind: AlertKind
    subject: str
    about: str
    summary: str
    endpoint: Endpoint | None = None
    revision: str = ""
    owner: str = ""
    roll_back: bool = False
    project: str | None = None  # whose it is, where it is about no endpoint


def open_alert(finding: AlertFinding, *, actor: Actor) -> Alert | None:
    """Open an alert, or return ``None`` when one of this kind and subject is unresolved.

    In the same transaction: the event, and the job that tells people. Where a rollback is wished
    that job comes first, so that the mail can say what was done.
    """
    endpoint = finding.endpoint
    with record(actor) as log:
        authorize(actor, "alert.handle", endpoint, view="alert.view")
        row = Alert(
            kind=finding.kind,
            subject=finding.subject,
            project_id=endpoint.project_id if endpoint else finding.project,
            environment=endpoint.environment if endpoint else "",
            endpoint=endpoint,
            revision=finding.revision,
            about=finding.about[:200],
            summary=finding.summary[:2000],
            owner=finding.owner,
            opened_at=now(),
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            return None
        log.add(ALERT_OPENED, row, data={"kind": row.kind})
        if finding.roll_back:
            enqueue("rollouts.answer_alert", key=row.pk, project=row.project_id, alert=row.pk)
        else:
            tell(row, AlertState.OPEN)
    return row


def tell(alert: Alert, state: AlertState) -> None:
    """Have people mailed that ``alert`` came into ``state``, by a job after commit."""
    enqueue(
        "monitoring.mail",
        key=f"{alert.pk}:{state}",
        project=alert.project_id,
        alert=alert.pk,
        state=state,
    )


def acknowledge(alert: Alert, *, actor: Actor) -> Alert:
    """Say that somebody looks after it. Needs ``alert.handle``."""
    with record(actor) as log:
        row = _lock(alert, actor)
        if not move(
            row,
            expected=AlertState.OPEN,
            to=AlertState.ACKNOWLEDGED,
            acknowledged_at=now(),
            acknowledged_by=actor.id,
        ):
            raise AlertMoved(f"The alert is {row.state}")
        log.add(ALERT_ACKNOWLEDGED, row, data={"kind": row.kind})
    return row


def resolve(alert: Alert, *, actor: Actor) -> Alert:
    """End an alert whose condition nobody measures. Needs ``alert.handle``."""
    with record(actor) as log:
        row = _lock(alert, actor)
        if row.resolves_itself:
            raise ResolvesItself
        if not _end(row, actor, log):
            raise AlertMoved(f"The alert is {row.state}")
    return row


def close_settled(alerts: Iterable[Alert], *, actor: Actor, why: str = "") -> int:
    """End those alerts whose condition is over, which ``why`` tells; return how many were."""
    ended = 0
    for alert in alerts:
        with record(actor) as log:
            row = _lock(alert, actor)
            if _end(row, actor, log, why):
                tell(row, AlertState.RESOLVED)
                ended += 1
    return ended


def note_answer(alert: Alert, *, answer: str, rollout: str = "", actor: Actor) -> bool:
    """Write down what the platform did about ``alert``, once, and have people told."""
    with record(actor) as log:
        row = _lock(alert, actor)
        if row.answer:
            return False
        row.answer, row.rollout = answer[:2000], rollout
        row.generation += 1
        row.save(update_fields=["answer", "rollout", "generation"])
        log.add(ALERT_ANSWERED, row)
        if row.state in UNRESOLVED:
            tell(row, AlertState.OPEN)
    return True


def note_withdrawn(alert: Alert, *, at: datetime, actor: Actor) -> None:
    """Have ``alert`` say that the recall which raised it was withdrawn then."""
    with record(actor) as log:
        row = _lock(alert, actor)
        row.summary = f"{row.summary}. {RECALL_WITHDRAWN} on {at:%Y-%m-%d %H:%M} UTC"
        row.generation += 1
        row.save(update_fields=["summary", "generation"])
        log.add(ALERT_RECALL_WITHDRAWN, row)


def _lock(alert: Alert, actor: Actor) -> Alert:
    row = Alert.objects.select_for_update(of=("self",), no_key=True).get(pk=alert.pk)
    authorize(actor, "alert.handle", row, view="alert.view")
    return row


def _end(row: Alert, actor: Actor, log: Recorder, why: str = "") -> bool:
    if not move(
        row,
        expected=UNRESOLVED,
        to=AlertState.RESOLVED,
        resolved_at=now(),
        resolved_by=actor.id,
        answer=f"{row.answer}. {why}".removeprefix(". ")[:2000] if why else row.answer,
    ):
        return False
    log.add(ALERT_RESOLVED, row, data={"kind": row.kind})
    return True
