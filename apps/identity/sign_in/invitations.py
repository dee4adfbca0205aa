"""Mailing a set-up link to the person it is for."""

from smtplib import SMTPException

import structlog
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from apps.identity.models import User
from placet.kernel.config import config

log = structlog.get_logger(__name__)
SUBJECT = "[Placet] You are invited: set your password"


def link_of(path: str) -> str:
    """Return the whole address of a set-up page."""
    return config().public_url.rstrip("/") + path


def mail_setup_link(person: User, path: str) -> bool:
    """Mail the link to ``person``; tell whether the mail server took it.

    Without a mail server nothing is sent. Call it outside any transaction.
    """
    if not config().email_url:
        return False
    words = {"person": person, "link": link_of(path), "where": config().public_origin}
    body = render_to_string("account/email/invitation.txt", words)
    try:
        EmailMessage(subject=SUBJECT, body=body, to=[person.email]).send()
    except (OSError, SMTPException) as error:
        log.warning("invitation_not_sent", person=person.pk, fault=type(error).__name__)
        return False
    return True
