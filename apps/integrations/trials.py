"""Trying what the settings name: does it answer, and as it should?

Addresses come from the settings alone, never from whoever asks. Nothing here may be called inside a
transaction.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from smtplib import SMTPException
from urllib.parse import urlsplit

from django.core.mail import EmailMessage

from apps.registry.store import store
from apps.rollouts.prometheus import Unread
from apps.rollouts.prometheus import try_out as ask_prometheus
from placet.kernel.clock import now
from placet.kernel.config import config
from placet.kernel.outbound import OutboundFailed, get, in_words
from placet.kernel.problems import Problem

TIMEOUT = 5.0
DISCOVERY = "/.well-known/openid-configuration"
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
MAIL = "You asked Placet for a test mail in its administration. It has arrived: mail works."


class TrialFailed(Exception):
    """It does not work; the text says why in words."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Whether something worked, and what is said of it."""

    worked: bool
    said: str


def try_mail(address: str) -> str:
    """Send a test mail to ``address``, which is that of whoever asks."""
    if not config().email_url:
        raise TrialFailed("no mail server is set (PLACET_EMAIL_URL)")
    try:
        EmailMessage(subject="[Placet] Test mail", body=MAIL, to=[address]).send()
    except (OSError, SMTPException) as error:
        raise TrialFailed(f"the mail server did not take it ({in_words(error)})") from None
    return f"The mail server took a message to {address}."


def try_oidc(address: str) -> str:
    """Fetch the identity provider's discovery document, and read what sign-in needs of it."""
    issuer = config().oidc_issuer
    if not issuer:
        raise TrialFailed("no identity provider is set (PLACET_OIDC_ISSUER)")
    url = issuer if "/.well-known/" in issuer else issuer.rstrip("/") + DISCOVERY
    try:
        answer = get(url, headers={"Accept": "application/json"}, timeout=TIMEOUT)
        document = json.loads(answer.body)
    except OutboundFailed as error:
        raise TrialFailed(str(error)) from None
    except (ValueError, RecursionError):
        raise TrialFailed(f"it answers {answer.status}, and not with a document") from None
    if answer.status != 200 or not isinstance(document, dict):
        raise TrialFailed(f"it answers {answer.status}, and not with a document")
    lacking = [name for name in NEEDED if not isinstance(document.get(name), str)]
    if lacking:
        raise TrialFailed(f"its document lacks {', '.join(lacking)}")
    try:
        host = urlsplit(document["authorization_endpoint"]).hostname or "no host"
    except ValueError:
        raise TrialFailed("its document names no address to sign in at") from None
    return f"Discovery answered in {answer.seconds:.1f} s; people sign in at {host[:200]}."


def try_prometheus(address: str) -> str:
    """Ask Prometheus for a number."""
    try:
        ask_prometheus(now())
    except Unread as error:
        raise TrialFailed(str(error)) from None
    return "Prometheus answers queries."


def try_store(address: str) -> str:
    """Write a few random bytes to the artifact store, read them again and delete them."""
    content, blobs = b"placet probe " + secrets.token_bytes(32), store()
    try:
        digest, size = blobs.put_stream(BytesIO(content))
        try:
            same = blobs.read(digest, limit=size) == content
        finally:
            blobs.backend.delete(digest)
    except OSError as error:
        raise TrialFailed(f"the store refuses it ({in_words(error)})") from None
    except Problem as problem:
        raise TrialFailed(problem.detail) from None
    if not same:
        raise TrialFailed("what was read is not what was written")
    return "A probe was written to the artifact store, read and deleted."


TRIALS: dict[str, Callable[[str], str]] = {
    "mail": try_mail,
    "oidc": try_oidc,
    "prometheus": try_prometheus,
    "store": try_store,
}


def tried(what: str, address: str) -> TrialResult:
    """Return what came of a trial; ``address`` is the e-mail address of whoever asks."""
    try:
        return TrialResult(worked=True, said=TRIALS[what](address))
    except TrialFailed as failure:
        text = str(failure)
        return TrialResult(worked=False, said=f"It does not work: {text}.")
