"""Refusing what would let fewer people than a policy demands have something approved."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.db import connection

from apps.governance import duties
from apps.governance.duties import EnvironmentAccess, ShortestPath
from apps.governance.errors import BypassOpened, LockedOut
from apps.governance.gates import approvals
from apps.governance.models import Environment, PolicyRevision
from apps.governance.queries.organisation import OrganisationView, is_told_addresses, look
from apps.governance.seats import counting, takers
from apps.identity.queries import scope_of
from placet.kernel.actor import Actor
from placet_verify.permit.quorum import ApprovalRule, said

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
    _refuse_opened(before, look(addresses=is_told_addresses(actor)), actor)


def refuse_locked_out(policy: PolicyRevision, actor: Actor) -> None:
    """Refuse a policy in force that nobody could satisfy, with everybody who may decide here.

    Raises :class:`LockedOut`, with the gates and how many could decide. The system is not asked: it
    writes a new project's policies before anybody has a role there.
    """
    if actor.kind == "system":
        return
    if said_too_few := lockout_under(policy):
        raise LockedOut(said_too_few)


def lockout_under(policy: PolicyRevision) -> str:
    """Say why nobody could satisfy a policy, in force or not, with everybody who may decide where
    it is; '' where they could. For the queries see :func:`look`."""
    seen = look().as_counted()
    view = replace(seen, policies={**seen.policies, policy.environment_id: policy})
    return lockout(policy.document, view.access(policy.environment_id))


def lockout(document: Mapping[str, Any], access: EnvironmentAccess) -> str:
    """Say which gates of a policy ask for more people than could decide here, and what to do; ''
    where everybody together could satisfy it."""
    if not duties.locked_out(access):
        return ""
    asking = (gate for gate in document["gates"] if gate["gate"] == approvals.NAME)
    titles = {gate["role"]: approvals.title(gate) for gate in asking}
    unmet = duties.unmet(access)
    lines = [
        f"“{titles[rule.role]}” asks for {_people(rule.count)}{said(rule)}, and"
        f" {f'at most {people} could' if people else 'nobody could'} count for it here"
        for rule, people in unmet
    ]
    if not unmet:
        every = " and ".join(f"“{title}”" for title in titles.values())
        asked = sum(rule.count for rule in access.rules)
        lines = [f"{every} together ask for {asked} different people, and here are fewer who could"]
    return f"{LockedOut.title}: {'; '.join(lines)}. {_what_to_do(unmet)}"


def _what_to_do(unmet: Sequence[tuple[ApprovalRule, int]]) -> str:
    """Say how a policy with these gates could be satisfied; none where all at once ask too much."""
    there = not unmet or any(people for _, people in unmet)
    whom = counting(takers(max((rule.count for rule, _ in unmet), default=0), there))
    return f"Ask for fewer people, or first give the role to {whom}"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


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
