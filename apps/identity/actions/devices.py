"""Logins of a command line that a person confirms in the browser (RFC 8628).

pending ──(a person confirms)──► confirmed ──(the device comes)──► collected
   └──────(a person denies)────► denied ◄──(who confirmed takes it back)── confirmed

Who is deactivated, sets a password or has their session closed by a restore confirmed for nothing:
what was not collected by then is denied.

The token is made when the device comes for it, in the transaction that moves the row to
``collected``. So its text is in memory alone, as on the page of tokens: a token made at the
confirmation would have to wait somewhere where whoever reads the database finds it, and would be
nobody's when the device never comes. Who acts then is the person who confirmed, at the time when
they did: what is asked of somebody who has just shown who they are was asked there, and is asked
again of that time.
"""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime

from django.core.cache import cache
from django.db import connection, transaction

from apps.audit.actions import Recorder, record
from apps.identity.actions.tokens import TokenTerms, check_terms, issue_token
from apps.identity.errors import (
    AccessDenied,
    AuthorizationPending,
    BadDeviceCode,
    CodeAnswered,
    ExpiredDeviceCode,
    Inactive,
    NoSuchUserCode,
    Reauthenticate,
    SlowDown,
    TooManyGuesses,
    TooManyLogins,
)
from apps.identity.events import DEVICE_LOGIN_CONFIRMED, DEVICE_LOGIN_DENIED
from apps.identity.models import ApiToken, DeviceLogin, DeviceLoginState, User
from apps.identity.queries import actor_for_user
from apps.identity.rules.devices import (
    INTERVAL,
    LIFETIME,
    MAX_GUESSES,
    MAX_OPEN,
    MAX_OPEN_OF_ADDRESS,
    is_early,
    new_device_secret,
    new_user_code,
    read_user_code,
    slower,
    tries_words,
    wait_words,
)
from apps.identity.sign_in.bearers import token_hash
from apps.identity.sign_in.freshness import demand_fresh, demand_session
from placet.kernel.actor import Actor
from placet.kernel.clock import now, rfc3339
from placet.kernel.ids import is_id
from placet.kernel.problems import NotFound
from placet.kernel.states import move
from placet.kernel.texts import clean_text

LOCK = 0x64657669  # any number that no other advisory lock has: logins begin one by one
ANSWERED = (DeviceLoginState.CONFIRMED, DeviceLoginState.COLLECTED)
TAKEN_BACK = (DeviceLoginState.PENDING, DeviceLoginState.CONFIRMED)


@dataclass(frozen=True, slots=True)
class DeviceCodes:
    """What a device gets: the secret it asks with, and the code that a person confirms."""

    login: DeviceLogin
    device_code: str
    user_code: str


def begin_device_login(*, client: str, address: str) -> DeviceCodes:
    """Let a device wait for somebody who confirms it. Anybody may: it is worth nothing by itself.

    How many wait is bounded, in all and from one ``address``. The log says nothing of it, because
    strangers could fill it; it does of the answer.
    """
    name, at = clean_text("client", client, limit=120), now()
    secret = new_device_secret()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        _refuse_many(address, at)
        code = new_user_code()
        while DeviceLogin.objects.filter(user_hash=_code_hash(code)).exists():
            code = new_user_code()
        row = DeviceLogin.objects.create(
            device_hash=token_hash(secret),
            user_hash=_code_hash(code),
            client=name,
            address=address,
            interval=INTERVAL,
            created_at=at,
            expires_at=at + LIFETIME,
        )
    return DeviceCodes(row, f"{row.pk}_{secret}", code)


def _code_hash(code: str) -> str:
    return token_hash(f"device login {code}")


def _refuse_many(address: str, at: datetime) -> None:
    waiting = DeviceLogin.objects.filter(state=DeviceLoginState.PENDING, expires_at__gt=at)
    if waiting.filter(address=address).count() >= MAX_OPEN_OF_ADDRESS:
        raise TooManyLogins("Too many logins of this address wait to be confirmed: confirm one")
    if waiting.count() >= MAX_OPEN:
        raise TooManyLogins


def find_device_login(typed: str, *, actor: Actor) -> DeviceLogin:
    """Return the login that waits with the code that ``actor`` typed.

    Each person may be wrong so often in ten minutes: one who guesses would log the command line of
    somebody else in as themselves.
    """
    demand_session(actor)
    key = f"device guesses {actor.id}"
    cache.add(f"{key} since", now().timestamp(), LIFETIME.total_seconds())
    cache.add(key, 0, LIFETIME.total_seconds())
    # counted before it is looked up, so that many at once find no more than one after the other
    tried = cache.incr(key)
    if tried > MAX_GUESSES:
        raise TooManyGuesses(f"Too many wrong codes: {wait_words(_since_first(key))}")
    code = read_user_code(typed)
    rows = DeviceLogin.objects.filter(expires_at__gt=now())
    row = rows.filter(user_hash=_code_hash(code)).first() if code else None
    if row is None:
        left = tries_words(tried, _since_first(key))
        raise NoSuchUserCode(f"{NoSuchUserCode.title}. {left}")
    cache.incr(key, -1)
    return row


def _since_first(key: str) -> float:
    """Return how many seconds ago the first of the guesses that ``key`` counts was made."""
    at = now().timestamp()
    return at - float(cache.get(f"{key} since", at))


def confirm_device_login(typed: str, *, terms: TokenTerms, actor: Actor) -> DeviceLogin:
    """Let the device with this code have a token of ``actor``, who has just shown who they are.

    Sent twice, by a double click, it is done once.
    """
    found = find_device_login(typed, actor=actor)
    with record(actor) as log:
        # the person first, as whoever signs them out everywhere locks them first
        User.objects.select_for_update(no_key=True).get(pk=actor.id)
        row = DeviceLogin.objects.select_for_update(no_key=True).get(pk=found.pk)
        if row.state in ANSWERED and row.person_id == actor.id:
            return row
        name = check_terms(terms, actor=actor)
        demand_fresh(actor)
        confirmed = move(
            row,
            expected=DeviceLoginState.PENDING,
            to=DeviceLoginState.CONFIRMED,
            person_id=actor.id,
            answered_at=now(),
            token_name=name,
            scopes=sorted(set(terms.scopes)),
            project_id=terms.project.pk if terms.project else None,
            token_expires_at=terms.expires_at,
        )
        if not confirmed:
            raise CodeAnswered
        told = {"scopes": row.scopes, "expires_at": rfc3339(terms.expires_at)}
        log.add(DEVICE_LOGIN_CONFIRMED, subject=row.pk, data=told)
        return row


def deny_device_login(typed: str, *, actor: Actor) -> DeviceLogin:
    """Refuse the device with this code; it is told when it asks next.

    Who confirmed it takes that back so, until the device has come for its token.
    """
    found = find_device_login(typed, actor=actor)
    with record(actor) as log:
        row = DeviceLogin.objects.select_for_update(no_key=True).get(pk=found.pk)
        if row.state == DeviceLoginState.DENIED:
            return row
        mine = row.person_id == actor.id
        if mine and row.state == DeviceLoginState.COLLECTED:
            raise CodeAnswered("The command line has its token already: revoke it under API tokens")
        if not move(
            row,
            expected=TAKEN_BACK if mine else DeviceLoginState.PENDING,
            to=DeviceLoginState.DENIED,
            person_id=actor.id,
            answered_at=now(),
        ):
            raise CodeAnswered
        log.add(DEVICE_LOGIN_DENIED, subject=row.pk)
        return row


def deny_confirmed(log: Recorder, person: User | None = None) -> None:
    """Deny what ``person`` (locked), or everybody, confirmed and no device came for yet: whoever
    had their session must not have a token when it is closed."""
    rows = DeviceLogin.objects.filter(state=DeviceLoginState.CONFIRMED)
    for row in rows.filter(person=person) if person else rows:
        if move(row, expected=DeviceLoginState.CONFIRMED, to=DeviceLoginState.DENIED):
            log.add(DEVICE_LOGIN_DENIED, subject=row.pk)


def collect_token(device_code: str) -> tuple[ApiToken, str]:
    """Make the token that a person let the device have, and return it with its text, once.

    Raises what RFC 8628 (section 3.5) says while there is none, and when there will be none.
    """
    row = _of_device(device_code)
    _note_question(row)
    if row.expires_at <= now():
        raise ExpiredDeviceCode
    match row.state:
        case DeviceLoginState.PENDING:
            raise AuthorizationPending
        case DeviceLoginState.DENIED:
            raise AccessDenied
        case DeviceLoginState.COLLECTED:
            raise BadDeviceCode
    try:
        return _issue(row)
    except (Inactive, NotFound):  # the person is deactivated, or sees the project no more
        raise AccessDenied from None
    except Reauthenticate:
        raise ExpiredDeviceCode from None


def _of_device(device_code: str) -> DeviceLogin:
    """Return the login whose device has this code; the secret is compared in constant time."""
    pk, secret = device_code[:36], device_code[37:]
    row = DeviceLogin.objects.filter(pk=pk).first() if is_id(pk) else None
    if row is None or not hmac.compare_digest(row.device_hash, token_hash(secret)):
        raise BadDeviceCode
    return row


def _note_question(row: DeviceLogin) -> None:
    """Note when the device asked; one that asks too soon waits longer from now on."""
    at = now()
    early = is_early(row.polled_at, at, row.interval)
    interval = slower(row.interval) if early else row.interval
    mine = DeviceLogin.objects.filter(pk=row.pk, polled_at=row.polled_at)
    if not mine.update(polled_at=at, interval=interval) or early:
        raise SlowDown


def _issue(row: DeviceLogin) -> tuple[ApiToken, str]:
    assert row.person is not None
    assert row.token_expires_at is not None
    actor = replace(actor_for_user(row.person), authenticated_at=row.answered_at)
    if not actor.in_session:
        raise Inactive
    with record(actor):
        # the person first, as whoever denies all that they confirmed locks them first
        User.objects.select_for_update(no_key=True).get(pk=row.person.pk)
        if not move(row, expected=DeviceLoginState.CONFIRMED, to=DeviceLoginState.COLLECTED):
            denied = DeviceLogin.objects.filter(pk=row.pk, state=DeviceLoginState.DENIED).exists()
            raise AccessDenied if denied else BadDeviceCode
        return issue_token(
            name=row.token_name,
            scopes=row.scopes,
            project=row.project,
            expires_at=row.token_expires_at,
            person=row.person,
            device_login=row.pk,
            actor=actor,
        )


def forget_device_logins() -> int:
    """Remove the logins that have expired; return how many."""
    removed, _ = DeviceLogin.objects.filter(expires_at__lte=now()).delete()
    return removed
