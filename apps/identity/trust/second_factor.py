"""Roles that demand a second factor: what that withholds from whoever has none.

A factor is an authenticator app or a passkey or security key to sign in with; recovery codes alone
are none. Programs have no factors, so a role of a service account is never withheld.
"""

from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from apps.audit.queries.vouched_rows import last_logged
from apps.identity.models import (
    ApproverPasskey,
    PasskeyState,
    RoleBinding,
    SecondFactorDemand,
    User,
)
from apps.identity.rules import ROLES
from placet.kernel.actor import Actor, Scope

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
SECOND_FACTOR, PASSKEY = "a second factor", "a signing passkey"
NOT_SIGNED_IN = "has not signed in yet"
NOT_YET = "cannot decide yet"  # to whom it is not told what somebody lacks


def factors() -> QuerySet[Authenticator]:
    """Return all that counts as somebody's second factor."""
    rows: QuerySet[Authenticator] = Authenticator.objects.filter(type__in=FACTORS)
    return rows


def has_factor(person_id: str) -> bool:
    """Tell whether a person has a second factor to sign in with."""
    return bool(factors().filter(user=person_id).exists())


def withheld(person_id: Any) -> "ExpressionWrapper[Q]":
    """Return the expression for whether the ``role`` of a row is withheld from a person, who is
    given by id or by the expression for it."""
    demanded = Exists(SecondFactorDemand.objects.filter(role=OuterRef("role")))
    lacking = ~Exists(factors().filter(user=person_id))
    return ExpressionWrapper(demanded & lacking, output_field=BooleanField())


def without_factor(person: str) -> Case:
    """Return the expression for the roles that demand a second factor of the person that a column
    names, who has none."""
    none = Value([], output_field=ArrayField(CharField()))
    demanding = ArraySubquery(SecondFactorDemand.objects.values("role"))
    return Case(When(Exists(factors().filter(user=OuterRef(person))), then=none), default=demanding)


def has_passkey(person: str) -> Exists:
    """Return the condition that the person whom a column names has a passkey to sign with."""
    enrolled = ApproverPasskey.objects.filter(state=PasskeyState.ENROLLED)
    return Exists(enrolled.filter(person=OuterRef(person)))


def never_came(person: str) -> Exists:
    """Return the condition that the person whom a column names was invited, or let in again, and
    has neither set a password nor come by an identity provider since."""
    absent = Q(last_login=None) | Q(last_login__lte=F("reactivated_at"))
    invited = User.objects.filter(absent, password__startswith=UNUSABLE_PASSWORD_PREFIX)
    return Exists(invited.filter(pk=OuterRef(person)))


def not_signed_in(let_in_again: datetime | None) -> str:
    """Say, behind a name, that somebody never came, who was invited, or ``let_in_again`` then."""
    if let_in_again is None:
        return NOT_SIGNED_IN
    return f"was let in again on {let_in_again:%Y-%m-%d} and has not signed in since"


def may_learn_what_lacks(person_id: str, actor: Actor, where: Scope) -> bool:
    """Tell whether ``actor`` may be told that a person with a role ``where`` has no second factor,
    or no passkey to sign with: to others it would name the accounts that a password alone opens."""
    return person_id == actor.accountable or actor.can("access.view", where)


def told_of(why: str, person_id: str, actor: Actor, where: Scope) -> str:
    """Return what ``actor`` is told of ``why`` a person with a role ``where`` cannot decide yet; ''
    where they can."""
    if not why or may_learn_what_lacks(person_id, actor, where):
        return why
    return NOT_YET


def people_without(reader: str) -> dict[str, tuple[int, bool]]:
    """Return by role how many active people hold it, themselves or in a team, without a factor, and
    whether the ``reader`` is one of them (one query): whom a demand would take it from."""
    who = Coalesce("person", "team__memberships__person")
    lacking = ~Exists(factors().filter(user=OuterRef("who")))
    active = Exists(User.objects.filter(pk=OuterRef("who"), is_active=True))
    held = RoleBinding.objects.order_by().annotate(who=who).filter(active, lacking)
    counted = held.values("role").annotate(
        people=Count("who", distinct=True), own=Count("pk", filter=Q(who=reader))
    )
    return {row["role"]: (row["people"], row["own"] > 0) for row in counted}


def demanding_by_log() -> frozenset[str]:
    """Return the roles that demand a second factor by what the sealed log says (one query): a row
    that somebody took out of the table lets nobody decide without one."""
    rows = [SecondFactorDemand(role=role) for role in ROLES]
    states = last_logged(rows).states.values()
    return frozenset(str(state["role"]) for state in states if state is not None)


def withheld_by_log(person_id: str) -> frozenset[str]:
    """Return the roles that the log withholds from a person whose factors it vouches for."""
    demanding = demanding_by_log()
    return frozenset() if not demanding or has_factor(person_id) else demanding
