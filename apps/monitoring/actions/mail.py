"""Mailing the owner of an alert: once for each state, by a job, outside every transaction."""

from smtplib import SMTPException

from django.core.mail import EmailMessage

from apps.identity.models import User
from apps.identity.queries import people_with
from apps.monitoring.models import Alert, AlertState
from placet.kernel.actor import Scope
from placet.kernel.clock import now
from placet.kernel.config import config

MAX_RECIPIENTS = 50
WORDS = {AlertState.OPEN: "Alert", AlertState.RESOLVED: "Resolved"}


def mail_alert(alert_id: str, state: AlertState) -> int:
    """Tell people that the alert came into ``state``; return how many.

    The state is noted before the mail goes out and taken back when the server refuses it, so that
    a worker that dies in between mails nobody twice.
    """
    alert = Alert.objects.select_related("project").get(pk=alert_id)
    people = recipients(alert)
    untold = Alert.objects.filter(pk=alert.pk, **{f"mailed_{state}_at": None})
    if not people or not untold.update(**{f"mailed_{state}_at": now()}):
        return 0
    addresses = [person.email for person in people]
    message = EmailMessage(
        subject=f"[Placet] {WORDS[state]}: {alert.get_kind_display()} · {alert.about}",
        body=text(alert, state),
        to=addresses if len(addresses) == 1 else [],
        bcc=addresses if len(addresses) > 1 else [],  # nobody learns the others' addresses
    )
    try:
        message.send()
    except (OSError, SMTPException):
        Alert.objects.filter(pk=alert.pk).update(**{f"mailed_{state}_at": None})
        raise
    return len(addresses)


def recipients(alert: Alert) -> list[User]:
    """Return whom to tell: the owner, or everybody who may handle the alert where it belongs."""
    owner = User.objects.filter(pk=alert.owner, is_active=True).first() if alert.owner else None
    if owner is not None:
        return [owner]
    scope = Scope(alert.project_scope(), alert.environment_scope())
    return people_with("alert.handle", scope)[:MAX_RECIPIENTS]


def text(alert: Alert, state: AlertState) -> str:
    """Return the body of the mail."""
    project = str(alert.project) if alert.project else ""
    where = " / ".join(name for name in (project, alert.environment, alert.about) if name)
    lines = [f"{alert.get_kind_display()}: {where}", "", alert.summary]
    if alert.answer:
        lines += ["", alert.answer]
    if state == AlertState.RESOLVED:
        lines += ["", "It is over."]
    return "\n".join([*lines, "", f"{config().public_url}/alerts/"])
