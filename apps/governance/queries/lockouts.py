"""Where nobody could approve any more after a change of access, asked before it is made."""

from collections.abc import Callable, Collection
from dataclasses import replace

from apps.governance import duties, rules
from apps.governance.duties import Binding, Organisation
from apps.governance.models import Environment
from apps.governance.queries.duties import look
from apps.identity.models import RoleBinding, Team, User
from apps.identity.trust.second_factor import factors

DECIDING = frozenset(rules.ROLE_OF.values())
Change = Callable[[Organisation], Organisation]


def after_removing_role(row: RoleBinding) -> list[Environment]:
    """Return where nobody could approve without this role, of the places that it is given in (no
    query for one that decides nowhere, else those of :func:`look`). That an approver of one project
    vouches for passkeys in others is not for its administrator to read."""
    subject = row.person_id or row.team_id or row.service_account_id or ""
    gone = Binding(row.role, subject, row.project_id or "", row.environment)
    places = _locked_out(lambda now: _with(now, lambda b: () if b == gone else (b,)), {row.role})
    within = (row.project_id or "", row.environment)
    return [one for one in places if within in (("", ""), (one.project_id, ""), _key(one))]


def after_removing_member(team: Team, person: User) -> list[Environment]:
    """Return where nobody could approve without this person in the team."""
    return _without(team, lambda members: members - {person.pk})


def after_deleting_team(team: Team) -> list[Environment]:
    """Return where nobody could approve without this team."""
    return _without(team, lambda _: frozenset())


def after_deactivating(person: User) -> list[Environment]:
    """Return where nobody could approve without this person."""

    def change(now: Organisation) -> Organisation:
        ended = (replace(p, active=p.active and p.id != person.pk) for p in now.people)
        return replace(now, people=tuple(ended))

    return _locked_out(change, DECIDING)


def after_demanding_factor(role: str) -> list[Environment]:
    """Return where nobody could approve while those who hold ``role`` and have no second factor do
    not have it."""
    have = set(factors().values_list("user", flat=True)) if role in DECIDING else set()

    def change(now: Organisation) -> Organisation:
        def left(binding: Binding) -> Collection[Binding]:
            if binding.role != role or binding.subject in now.services:
                return (binding,)
            people = now.teams.get(binding.subject, frozenset({binding.subject}))
            return [replace(binding, subject=one) for one in people & have]

        return _with(now, left)

    return _locked_out(change, {role})


def _without(team: Team, left: Callable[[frozenset[str]], frozenset[str]]) -> list[Environment]:
    def change(now: Organisation) -> Organisation:
        members = left(now.teams.get(team.pk, frozenset()))
        return replace(now, teams={**now.teams, team.pk: members})

    return _locked_out(change, DECIDING)  # what the team holds is read with everybody else's


def _key(place: Environment) -> tuple[str, str]:
    return place.project_id, place.name


def _with(now: Organisation, left: Callable[[Binding], Collection[Binding]]) -> Organisation:
    return replace(now, bindings=tuple(one for row in now.bindings for one in left(row)))


def _locked_out(change: Change, held: Collection[str]) -> list[Environment]:
    """Return where everybody together is enough now and not after ``change``, by project and name.

    What people did for releases that are under way is left out: it helps no other release.
    """
    if DECIDING.isdisjoint(held):
        return []
    now = look(past=False)
    then = replace(now, organisation=change(now.organisation))
    places = (
        policy.environment
        for pk, policy in now.policies.items()
        if (before := now.access(pk)) != (after := then.access(pk))
        and duties.locked_out(after)
        and not duties.locked_out(before)
    )
    return sorted(places, key=lambda row: (row.project.name, row.position, row.pk))
