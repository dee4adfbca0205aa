"""Changing what lets a person sign in: the change and its sealed event in one transaction."""

from collections.abc import Callable
from typing import Any, TypeVar

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import make_password
from django.db import connection

from apps.audit.actions import Recorder, record, row_key
from apps.audit.events import EventKind
from apps.audit.models import Audited
from apps.audit.queries import is_erased
from apps.identity.actions.checks import unique
from apps.identity.actions.devices import deny_confirmed
from apps.identity.errors import ErasedPerson, Inactive, NotVouched
from apps.identity.events import CREDENTIALS_CHANGED, CREDENTIALS_REHASHED, PASSWORD_CHANGED
from apps.identity.models import User
from apps.identity.trust.vouching import about, credentials, is_vouched, vouched_texts
from placet.kernel.actor import Actor

R = TypeVar("R")


def lock_credentials(person: User) -> User:
    """Return the row of ``person``, locked together with all that lets them sign in.

    Others who change any of it, past Placet too, wait until the transaction ends.
    """
    row = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT identity_hold_credentials(%s)", [row.pk])
    return row


def has_other_credentials(person: User) -> bool:
    """Tell whether ``person`` has a second factor, a passkey or an identity that lets them in."""
    return Authenticator.objects.filter(user=person).exists() or comes_by_provider(person)


def comes_by_provider(person: User) -> bool:
    """Tell whether ``person`` is linked to an identity of a provider that is in the settings: one
    of a provider that was taken out of them lets nobody in."""
    there = [app.provider_id for app in get_adapter().list_apps(None)]
    found: bool = SocialAccount.objects.filter(user=person, provider__in=there).exists()
    return found


def vouched(person: User) -> User:
    """Return the row of ``person`` as :func:`lock_credentials`, or refuse where the log does not
    vouch for it.

    Whoever was erased is refused too. Every action that logs a person anew asks this first. What
    somebody wrote into the tables would pass for good afterwards.
    """
    row = lock_credentials(person)
    if not is_vouched(row):
        raise ErasedPerson if is_erased(row.pk) else NotVouched
    return row


def vouched_and_active(person: User) -> User:
    """Return the row of ``person`` as :func:`vouched`, or refuse with :class:`Inactive`.

    What people change of their own credentials asks this: they were let in a moment ago, and what
    they gave themselves behind their deactivation would let them in when they are reactivated.
    """
    row = vouched(person)
    if not row.is_active:
        raise Inactive
    return row


def log_person(
    log: Recorder,
    kind: EventKind,
    person: User,
    *rows: Audited,
    data: dict[str, Any] | None = None,
) -> None:
    """Log ``person`` as they are now, with the digest of all that lets them sign in."""
    log.add(kind, person, *rows, data={**(data or {}), "credentials": credentials(person)})


def set_own_password(person: User, password: str) -> None:
    """Give ``person`` the password that they chose themselves. It ends their other sessions, and
    what was confirmed in them."""
    with record(themselves(person)) as log:
        row = vouched_and_active(person)
        row.password = person.password = make_password(password)
        row.save(update_fields=["password"])
        log.add(PASSWORD_CHANGED, subject=row.pk, data={"credentials": credentials(row)})
        deny_confirmed(log, row)


def rehash_password(person: User, password: str) -> None:
    """Store the same password under a newer kind of hash, unless it was changed meanwhile."""
    with record(themselves(person)) as log:
        row = lock_credentials(person)
        if row.password != person.password or not is_vouched(row):
            return
        row.password = person.password = make_password(password)
        row.save(update_fields=["password"])
        log.add(CREDENTIALS_REHASHED, subject=row.pk, data={"credentials": credentials(row)})


def change_credentials(person: User, change: Callable[[User], R]) -> R:
    """Carry out ``change``, in which ``person`` changes their factors or is linked, and seal it."""
    with record(themselves(person)) as log:
        row = vouched_and_active(person)
        before = credentials(row)
        result = change(row)
        after = credentials(row)
        if after != before:
            log.add(CREDENTIALS_CHANGED, subject=row.pk, data={"credentials": after})
        return result


def discard_credentials(row: User) -> None:
    """Take away everything that lets ``row`` (locked) sign in, whoever put it there."""
    row.set_unusable_password()
    for table in (Authenticator, SocialAccount, EmailAddress):
        table.objects.filter(user=row).delete()


def restore(row: User) -> None:
    """Give ``row`` (locked) the name, address and flags back that the log vouches for.

    A person whom nobody added through Placet is refused. A text that nobody can read any more is
    lost: the address becomes one that no mail reaches.
    """
    state = about(row).states.get(row_key(row))
    if state is None:
        raise NotVouched("Nobody added this person through Placet: there is nothing to go back to")
    texts = {"name": "(lost)", "email": f"{row.pk}@lost.invalid"} | vouched_texts(state)
    row.name, row.email = texts["name"], texts["email"]
    row.is_staff, row.is_superuser = state["is_staff"], state["is_superuser"]
    with unique("email"):
        row.save(update_fields=["name", "email", "is_staff", "is_superuser"])


def themselves(person: User) -> Actor:
    """Return ``person`` as the one who does something to their own account."""
    return Actor(kind="person", id=person.pk, label=str(person), owner=person.pk)
