"""Questions that several actions of identity ask."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction

from apps.identity.errors import NameTaken, NeedsSession, OwnAccess
from apps.identity.queries import Scoped, authorize, fresh_grants, scope_of
from apps.identity.refusals import MAKE_ONE, who_gives_roles
from apps.identity.sign_in.freshness import demand_fresh
from placet.kernel.actor import Actor
from placet.kernel.problems import FieldError, Forbidden

ALONE = f"Nobody widens their own access, and there is no other access administrator: {MAKE_ONE}"


@contextmanager
def unique(field: str) -> Iterator[None]:
    """Turn the violation of a unique constraint inside into :class:`NameTaken` for ``field``."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise NameTaken(errors=[FieldError(f"/{field}", "It is taken")]) from None


def by_person(actor: Actor) -> None:
    """Refuse an API token: access is given by a person in a session (or the system)."""
    if actor.token is not None:
        raise NeedsSession


def authorize_access(actor: Actor, row: Scoped | None = None) -> None:
    """Let ``actor`` manage access where ``row`` belongs, by a role that the log vouches for.

    A role written into the tables would otherwise make whoever has it give out real ones. Whoever
    gives access has just shown who they are.
    """
    authorize(actor, "access.manage", row)
    if actor.kind == "system":
        return
    scope, held = scope_of(row), fresh_grants(actor.id, lock=False)
    if not any(g.permission == "access.manage" and g.scope.covers(scope) for g in held):
        raise Forbidden("The log does not vouch for your right to manage access")
    demand_fresh(actor)


def not_own(actor: Actor, *people: str) -> None:
    """Refuse when ``actor`` is one of ``people``: nobody widens their own access."""
    if actor.accountable in people:
        raise OwnAccess() if who_gives_roles(actor, None) else OwnAccess(ALONE)
