"""Step-up: what is asked of somebody who has just shown who they are.

A browser session lives for hours, and whoever gets hold of its cookie has all of it. So what gives
access, decides, or sends requests to what was approved needs more than a session: in it the person
has lately given their password, a second factor or a passkey, or come from the identity provider.
django-allauth writes each of these down in the session (``account_authentication_methods``).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from apps.identity.errors import NeedsSession, Reauthenticate
from apps.identity.rules import is_fresh
from placet.kernel.actor import Actor
from placet.kernel.clock import now
from placet.kernel.config import config

RECORDS, WHOSE = "account_authentication_methods", "account_authentication_methods_user"
FROM_PROVIDER = "socialaccount"  # the method of a record: a second factor may come behind it
CLOCKS_DIFFER = 60.0  # seconds that the provider's clock may be ahead of ours
NEVER = 0.0


def demand_session(actor: Actor) -> None:
    """Raise :class:`NeedsSession` unless a person asks in a browser session, where one decides."""
    if not actor.in_session:
        raise NeedsSession


def demand_fresh(actor: Actor) -> None:
    """Raise :class:`Reauthenticate` unless the person in the session has just shown who they are.

    Programs have nobody to ask: a token is no session, and what it may do was settled when
    somebody who had just shown who they are made it.
    """
    if actor.in_session:
        _demand(actor.authenticated_at)


def demand_fresh_session(request: HttpRequest) -> None:
    """Raise :class:`Reauthenticate` unless the session's person has just shown who they are,
    whatever token comes along: for views that act for who is signed in, and ask no actor."""
    if request.user.is_authenticated:
        _demand(last_proof(proofs(request.session, request.user.pk)))


def _demand(authenticated_at: datetime | None) -> None:
    limit = timedelta(minutes=config().reauthenticate_after_minutes)
    if not is_fresh(authenticated_at, now(), limit):
        raise Reauthenticate


def ask_again(back_to: str) -> HttpResponseRedirect:
    """Send the person in the session to show who they are, and then back to the page ``back_to``.

    What they asked for is not kept here to be carried out then: whoever has the session's cookie
    could put something else in its place.
    """
    query = urlencode({REDIRECT_FIELD_NAME: back_to})
    return HttpResponseRedirect(f"{reverse('account_reauthenticate')}?{query}")


def proofs(session: Mapping[str, Any] | SessionBase, person: str) -> list[dict[str, Any]]:
    """Return how ``person`` showed in this session who they are, the last way last."""
    records = session.get(RECORDS)
    if session.get(WHOSE) != person or not isinstance(records, list):
        return []
    return records if all(isinstance(record, dict) for record in records) else []


def last_proof(records: Sequence[Mapping[str, Any]]) -> datetime | None:
    """Return the time of the last of :func:`proofs`; ``None`` when it has none that one can read.

    Not the latest time: while the clock is set back, the last one alone is right.
    """
    at = records[-1].get("at") if records else None
    if isinstance(at, bool) or not isinstance(at, int | float):
        return None
    try:
        return datetime.fromtimestamp(at, tz=UTC)
    except (ValueError, OverflowError, OSError):  # NaN, or no time that there is
        return None


def date_back(request: HttpRequest, auth_time: float | None) -> None:
    """Let a sign-in through the identity provider count from when the person gave it a password or
    the like, which may be long ago: ``auth_time`` (OpenID Connect Core 1.0, section 2).

    Where it does not say, or says a time to come, nobody knows: a provider that was not asked to
    say it says nothing, and what it is asked goes through the hands of whoever has the browser.
    """
    records = request.session.get(RECORDS)
    came = [r for r in records or () if isinstance(r, dict) and r.get("method") == FROM_PROVIDER]
    if came:
        here = came[-1]["at"]
        if auth_time is None or auth_time > here + CLOCKS_DIFFER:
            auth_time = NEVER
        came[-1]["at"] = min(here, auth_time)
        request.session[RECORDS] = records
