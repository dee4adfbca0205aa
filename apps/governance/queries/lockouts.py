"""Where nobody could approve or request any more after a change of access, asked before it is
made."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from apps.governance import duties, rules
from apps.governance.duties import Binding, EnvironmentAccess, Organisation
from apps.governance.models import Environment
from apps.governance.queries.organisation import look
from apps.identity.models import RoleBinding, Team, User
from apps.identity.rules.permissions import roles_with
from apps.identity.trust.second_factor import factors

CONCERNED = frozenset({*rules.ROLE_OF.values(), *roles_with(duties.REQUEST)})
Change = Callable[[Organisation], Organisation]
Concerned = Callable[[Organisation, Environment], bool]


@dataclass(frozen=True, slots=True)
class Lockouts:
    """Where nobody could approve, and where nobody could request, by project and name."""

    approving: tuple[Environment, ...] = ()
    requesting: tuple[Environment, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.approving or self.requesting)


def after_removing_role(row: RoleBinding) -> Lockouts:
    """Return where nobody could approve or request without this role, of the places that it is
    given in (no query for one that does neither, else those of :func:`look`). That an approver of
    one project vouches for passkeys in others is not for its administrator to read."""
    subject = row.person_id or row.team_id or row.service_account_id or ""
    gone = Binding(row.role, subject, row.project_id or "", row.environment)
    within = (row.project_id or "", row.environment)

    def given_in(_: Organisation, place: Environment) -> bool:
        return within in (("", ""), (place.project_id, ""), (place.project_id, place.name))

    def change(now: Organisation) -> Organisation:
        return _with(now, lambda binding: () if binding == gone else (binding,))

    return _locked_out(change, {row.role}, given_in)


def after_removing_member(team: Team, person: User) -> Lockouts:
    """Return where nobody could approve or request without this person in the team."""
    return _without(team, lambda members: members - {person.pk})


def after_deleting_team(team: Team) -> Lockouts:
    """Return where nobody could approve or request without this team."""
    return _without(team, lambda _: frozenset())


def after_deactivating(person: User) -> Lockouts:
    """Return where nobody could approve or request without this person."""

    def change(now: Organisation) -> Organisation:
        left = (replace(p, active=False) if p.id == person.pk else p for p in now.people)
        return replace(now, people=tuple(left))

    def concerned(now: Organisation, place: Environment) -> bool:
        return _counts_at(place, [person.pk], now)

    return _locked_out(change, CONCERNED, concerned)


def after_demanding_factor(role: str) -> Lockouts:
    """Return where nobody could approve or request while those who hold ``role`` and have no
    second factor do not have it."""
    have = set(factors().values_list("user", flat=True)) if role in CONCERNED else set()

    def change(now: Organisation) -> Organisation:
        def left(binding: Binding) -> Collection[Binding]:
            if binding.role != role or binding.subject in now.services:
                return (binding,)
            people = now.teams.get(binding.subject, frozenset({binding.subject}))
            return [replace(binding, subject=one) for one in people & have]

        return _with(now, left)

    return _locked_out(change, {role})


def _without(team: Team, left: Callable[[frozenset[str]], frozenset[str]]) -> Lockouts:
    def members(now: Organisation) -> frozenset[str]:
        return now.teams.get(team.pk, frozenset())

    def change(now: Organisation) -> Organisation:
        return replace(now, teams={**now.teams, team.pk: left(members(now))})

    def concerned(now: Organisation, place: Environment) -> bool:
        return _counts_at(place, members(now) - left(members(now)), now)

    # what the team holds is read with everybody else's
    return _locked_out(change, CONCERNED, concerned)


def _counts_at(place: Environment, people: Iterable[str], now: Organisation) -> bool:
    """Tell whether one of ``people`` may do anything in a place, or could vouch for a passkey."""
    held = (now.roles.get("", {}), now.roles.get(place.project_id, {}), now.signers)
    return any(one in some for one in people for some in held)


def _with(now: Organisation, left: Callable[[Binding], Collection[Binding]]) -> Organisation:
    return replace(now, bindings=tuple(one for row in now.bindings for one in left(row)))


def _locked_out(
    change: Change, held: Collection[str], concerned: Concerned | None = None
) -> Lockouts:
    """Return where everybody together is enough now and not after ``change``, and where somebody
    may request now and nobody after it, of the environments that are ``concerned``: of all where
    that is not said.

    What people did for releases that are under way is left out: it helps no other release.
    """
    if CONCERNED.isdisjoint(held):
        return Lockouts()
    now = look(past=False).as_counted()
    then = replace(now, organisation=change(now.organisation))
    after = {
        pk: then.access(pk)
        for pk, policy in now.policies.items()
        if concerned is None or concerned(now.organisation, policy.environment)
    }

    def lost(can: Callable[[EnvironmentAccess], bool]) -> tuple[Environment, ...]:
        # first after it: of the many places where somebody is left, it is not asked who was before
        without = (pk for pk, access in after.items() if not can(access))
        places = (now.policies[pk].environment for pk in without if can(now.access(pk)))
        return tuple(sorted(places, key=lambda row: (row.project.name, row.position, row.pk)))

    return Lockouts(lost(_approved), lost(_requested))


def _approved(access: EnvironmentAccess) -> bool:
    return not duties.locked_out(access)


def _requested(access: EnvironmentAccess) -> bool:
    return any(duties.REQUEST in account.may for account in access.accounts)
