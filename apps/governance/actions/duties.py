"""Refusing what would let fewer people than a policy demands have something approved."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from apps.governance import duties
from apps.governance.duties import ShortestPath
from apps.governance.errors import BypassOpened, LockedOut
from apps.governance.models import Environment, PolicyRevision
from apps.governance.queries.duties import OrganisationView, look
from apps.identity.queries import scope_of
from placet.kernel.actor import Actor

# any number that no other advisory lock uses: changes of access go one by one until their commit
LOCK = 0x64757479


@contextmanager
def watch_duties(actor: Actor) -> Iterator[None]:
    """Look at who could have a release approved before a change and after it.

    Raises :class:`BypassOpened` with the path in words when too few people could who could not
    before. The system is not asked: its commands are typed on the server, beside the database.
    """
    if actor.kind == "system":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    before = look()
    yield
    _refuse_opened(before, look(), actor)


def refuse_locked_out(policy: PolicyRevision, actor: Actor) -> None:
    """Refuse a policy in force that nobody could satisfy, with everybody who may decide here.

    Raises :class:`LockedOut`. The system is not asked: it writes a new project's policies before
    anybody has a role there.
    """
    if actor.kind != "system" and duties.locked_out(look().access(policy.environment_id)):
        raise LockedOut


def _refuse_opened(before: OrganisationView, after: OrganisationView, actor: Actor) -> None:
    for environment, policy in after.policies.items():
        if environment not in before.policies:
            continue  # its first policy: nothing was demanded before
        then, now = before.access(environment), after.access(environment)
        if then == now:
            continue
        if path := duties.opened(then, now):
            raise BypassOpened(describe_path(path, policy.environment, after, actor))
        if path := duties.opened_by_break_glass(then, now):
            raise BypassOpened(describe_path(path, policy.environment, after, actor, glass=True))


def describe_path(
    found: ShortestPath,
    environment: Environment,
    seen: OrganisationView,
    actor: Actor,
    *,
    glass: bool = False,
) -> str:
    """Say who could do what; only that it is so where the actor may not see who has which role.

    A role in one project lets its holder vouch for passkeys in all of them.
    """
    where = scope_of(environment)
    if not (actor.can("access.view", where) or actor.can("policy.publish", where)):
        return "This would open a way in a project whose access you do not see: ask its auditor"
    few = "one person" if found.people == 1 else f"{found.people} people"
    around = seen.access(environment.pk)
    demanded = duties.demanded(around.glass if glass else around.rules)
    could = "start an emergency release" if glass else "get a release approved"
    path = "; ".join(seen.words(found, environment))
    return (
        f"Refused: with this, {few} could {could} for {environment.name} of"
        f" {environment.project.slug}, where its policy requires {demanded}: {path}. Give the role"
        " to somebody else, or take the other role away first"
    )
