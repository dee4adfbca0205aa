"""Mailing people what they are to be told. Nothing is sent inside a transaction.

Who sends a mail has what it tells by a lease. One that was sent and not written down, because its
worker died in between, is sent again under the same id.
"""

import time
from email.errors import MessageError
from smtplib import SMTPException

import structlog

from apps.identity.models import User
from apps.identity.queries import actor_for_user
from apps.jobs.actions import enqueue
from apps.jobs.handlers import LeasedJob
from apps.notices import actions, queries
from apps.notices.letters import letter
from apps.notices.models import Notice
from apps.notices.queries.concerning import may_be_mailed
from placet.kernel.actor import Actor
from placet.kernel.faults import crash_point

log = structlog.get_logger(__name__)
SLICE = 6.0  # seconds in which one job begins to send
# a server that does not take it, or what no mail can be written of: either is tried for a day
CANNOT = (OSError, SMTPException, MessageError, ValueError)
READING = 4.0  # and in which one goes on reading: whoever makes many events delays nobody long


def spread(job: LeasedJob) -> dict[str, int]:
    """Write down who is to be told of what is new, and have sent what is due."""
    end, made, more = time.monotonic() + READING, 0, True
    while more and time.monotonic() < end and not job.cancelled():
        new, more = actions.spread(job=job)
        made += new
    due = queries.is_due()
    if due:
        enqueue("notices.send", key="mail")
    return {"made": made, "due": int(due)}


def send(job: LeasedJob) -> dict[str, int]:
    """Send what is due, mail by mail, until all is sent or the time is up."""
    end, sent = time.monotonic() + SLICE, 0
    while time.monotonic() < end and not job.cancelled():
        notices = actions.claim(job=job)
        if not notices:
            break
        sent += _send(notices, job)
    return {"sent": sent}


def _send(notices: list[Notice], job: LeasedJob) -> int:
    """Send one mail with those of ``notices`` that still concern their person."""
    person = User.objects.get(pk=notices[0].person_id)
    actor, reached = actor_for_user(person), may_be_mailed(person)
    concerns = {one.pk: reached and _concerns(one, actor) for one in notices}
    told, dropped, unread = (
        [one for one in notices if concerns[one.pk] is it] for it in (True, False, None)
    )
    if dropped:
        actions.settle(dropped, "dropped", job=job)
    if unread:
        actions.settle(unread, "refused", error="unreadable", job=job)
    if not told:
        return 0
    try:
        letter(told, person, actor).send()
    except Exception as error:  # nobody else's mail waits for this one
        if not isinstance(error, CANNOT):
            log.exception("letter_not_written", person=person.pk)
        actions.settle(told, "refused", error=type(error).__name__, job=job)
        return 0
    crash_point("notices.after_send")
    actions.settle(told, "sent", job=job)
    return 1


def _concerns(notice: Notice, actor: Actor) -> bool | None:
    """Tell whether it still concerns its person; ``None`` where that cannot be asked, as of a kind
    that a newer worker wrote down: it is tried for a day, and holds nobody's mail up."""
    try:
        return queries.still_concerns(notice, actor)
    except Exception:
        log.exception("notice_not_read", notice=notice.pk, kind=notice.kind)
        return None


def look_after(job: LeasedJob) -> dict[str, int]:
    """Tell whose tokens expire soon, and forget what was told long ago."""
    return {"expiring": actions.add_expiring(job=job), "removed": actions.forget_old(job=job)}
