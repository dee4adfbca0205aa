"""How few people could have a release approved, environment by environment, as access stands."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import QuerySet

from apps.governance import duties
from apps.governance.duties import EnvironmentAccess, ShortestPath
from apps.governance.models import Environment, PolicyRevision
from apps.governance.queries.organisation import OrganisationView, is_told_addresses, look
from apps.identity.queries import visible
from placet.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class Duty:
    """One environment: how many people its policy demands, and how few could do.

    ``fewest`` is the smallest set of people who could, each being who they seem to be; ``hired``
    a smaller one with an access admin who adds people that do not exist. Each with its path.
    ``break_glass`` says the same of those who break the glass; ``None`` where nobody may.
    Whose decisions were recalled decides in none of them: that counts from when the recall is
    withdrawn. ``now`` is the smallest set without the roles that wait as well, for a second factor
    or for people who were invited, or let in again, and did not sign in since. Where without them
    nobody can have a release approved, ``waits_for`` has to set one up, ``invited`` has to sign in
    (some were let in again, then), and the decisions of ``recalled`` have to count
    again, by name. ``policy_first`` says that this is so under the policy in force alone: others
    could change it first. Where too few people can decide, ``lacking`` are the roles that they
    decide as, and ``nobody_decides`` says that nobody can as any of them. ``givers`` give
    roles in the project, and ``givers_everywhere`` in all, by name.
    """

    environment: Environment
    policy: int | None
    demanded: int
    fewest: ShortestPath | None
    path: list[str]
    hired: ShortestPath | None
    hired_path: list[str]
    locked_out: bool
    break_glass: "BreakGlassDuty | None" = None
    requesters: bool = True  # whether anybody may ask for a release there
    passkeys: bool = False  # whether approvals there need a passkey
    now: ShortestPath | None = None
    waits_for: tuple[str, ...] = ()
    invited: tuple[str, ...] = ()
    let_in_again: tuple[datetime, ...] = ()
    recalled: tuple[str, ...] = ()
    policy_first: bool = False
    lacking: tuple[str, ...] = ()
    nobody_decides: bool = False
    givers: tuple[str, ...] = ()
    givers_everywhere: tuple[str, ...] = ()

    @property
    def role_givers(self) -> tuple[str, ...]:
        """Who gives roles there, by name."""
        return tuple(sorted({*self.givers, *self.givers_everywhere}))

    @property
    def state(self) -> str:
        """Say how it stands: ``no_policy``, ``locked_out``, ``bypass``, ``waiting`` (nobody can
        under the policy in force until people have signed in, set up a second factor, or decide
        again whose decisions were recalled) or ``kept``."""
        if self.policy is None:
            return "no_policy"
        if self.fewest and self.fewest.people < self.demanded:
            return "bypass"
        if self.break_glass and self.break_glass.bypass:
            return "bypass"
        if self.locked_out:
            return "locked_out"
        return "waiting" if self.waits_for or self.invited or self.recalled else "kept"


@dataclass(frozen=True, slots=True)
class BreakGlassDuty:
    """Whom a policy demands to break the glass, how few could, and what it lets them skip."""

    demanded: int
    hours: int
    skip: tuple[str, ...]
    fewest: ShortestPath | None
    path: list[str]
    locked_out: bool = False  # everybody together could not

    @property
    def bypass(self) -> bool:
        """Tell whether fewer could than the policy demands."""
        return self.fewest is not None and self.fewest.people < self.demanded

    @property
    def nobody(self) -> bool:
        """Tell whether nobody could: no set of those who sign, one who makes the version and one
        who requests, where such a set is small enough to have been looked for."""
        looked_for = self.demanded + 2 <= duties.SMALL
        return self.fewest is None and (looked_for or self.locked_out)


def duties_of(environments: Iterable[Environment], *, addresses: bool = True) -> list[Duty]:
    """Search every one of ``environments`` (see :func:`look` for the queries, none for none, and
    for ``addresses``)."""
    rows = list(environments)
    if not rows:
        return []
    seen = look(addresses=addresses)
    views = (seen, seen.as_counted(), seen.as_ready())  # once, for all
    return [_duty(environment, *views) for environment in rows]


def told_duties(environments: Iterable[Environment], actor: Actor) -> list[Duty]:
    """Return :func:`duties_of` environments as ``actor``, who sees who has access there, may know
    them: who gives roles everywhere is named to who sees that alone, as are the addresses of
    people without a name, who may be of other projects."""
    if is_told_addresses(actor):
        return duties_of(environments)
    found = duties_of(environments, addresses=False)
    return [replace(duty, givers_everywhere=()) for duty in found]


def visible_duties(actor: Actor, *, project: str = "") -> QuerySet[Environment]:
    """Return the environments of the projects whose access ``actor`` administers or audits; with
    ``project``, a slug, of that one."""
    rows = Environment.objects.select_related("project")
    rows = rows.filter(project__slug=project) if project else rows
    return visible(rows, actor, view="access.view")


def _duty(
    environment: Environment,
    seen: OrganisationView,
    counted: OrganisationView,
    able: OrganisationView,
) -> Duty:
    if (policy := seen.policies.get(environment.pk)) is None:
        return Duty(environment, None, 0, None, [], None, [], locked_out=False)
    held = seen.access(environment.pk)
    access = held if counted is seen else counted.access(environment.pk)
    ready = access if able is counted else able.access(environment.pk)
    demanded = duties.demanded(access.rules)
    shortest = _shortest(seen, access, demanded)
    fewer = (shortest.people if shortest else demanded + 1) - 1
    hired = duties.fewest(access, most=min(fewer, demanded - 1), hire=True)
    awaited = _awaited(held, ready)
    absent, locked_out = frozenset(seen.absent), duties.locked_out(held)
    return Duty(
        environment,
        policy.number,
        demanded,
        shortest,
        seen.words(shortest, environment),
        hired,
        seen.words(hired, environment),
        locked_out=locked_out,
        break_glass=_break_glass_duty(seen, policy, access),
        requesters=any(duties.REQUEST in account.may for account in access.accounts),
        passkeys=access.pinned or any(rule.passkey for rule in access.rules),
        now=shortest if ready == access else _shortest(seen, ready, demanded),
        waits_for=seen.called(awaited.people - absent - seen.recalled),
        invited=seen.called(awaited.people & absent),
        let_in_again=seen.let_in_again(awaited.people),
        recalled=seen.called(awaited.people & seen.recalled - absent),
        policy_first=awaited.policy_first,
        lacking=_lacking(held) if locked_out else (),
        nobody_decides=locked_out and _nobody_decides(held),
        givers=seen.givers(environment, environment.project_id),
        givers_everywhere=seen.givers(environment, ""),
    )


def _lacking(held: EnvironmentAccess) -> tuple[str, ...]:
    """Return the roles that too few people can decide as: of gates that together ask for more
    people than there are, all."""
    short = [rule for rule, _ in duties.unmet(held)] or held.rules
    return tuple(dict.fromkeys(rule.role for rule in short))


def _nobody_decides(held: EnvironmentAccess) -> bool:
    """Tell whether nobody can decide as any of the roles that too few people decide as."""
    short = duties.unmet(held)
    return bool(short) and not any(people for _, people in short)


def _shortest(seen: OrganisationView, access: EnvironmentAccess, most: int) -> ShortestPath | None:
    """Return a smallest set of people; whose decisions were recalled is in it only where, with what
    else they may do, no set of as few is without them."""
    found = duties.fewest(access, most=most)
    if found is None or seen.recalled.isdisjoint(step.who for step in found.steps):
        return found
    others = tuple(one for one in access.accounts if one.id not in seen.recalled)
    return duties.fewest(replace(access, accounts=others), most=found.people) or found


@dataclass(frozen=True, slots=True)
class _Awaited:
    """Without whom nobody can do it, and whether others could who change the policy first."""

    people: frozenset[str] = frozenset()
    policy_first: bool = False


def _awaited(held: EnvironmentAccess, ready: EnvironmentAccess) -> _Awaited:
    """Return who would make, request, decide or change the policy once they signed in, have a
    second factor or count again, where nobody can do it without them by any way that there is."""
    acts = (duties.MAKE, duties.REQUEST)
    if held == ready or not all(_anybody_may(held, act) for act in acts):
        return _Awaited()
    wanting = {act for act in acts if not _anybody_may(ready, act)}
    if not wanting and not duties.locked_out(ready):
        return _Awaited()
    could, can = duties.ways(held), duties.ways(ready)
    policy_first = can == {duties.POLICY} and not wanting
    if duties.QUORUM in could and (policy_first or not can):
        wanting |= {duties.DECIDES_AS[rule.role] for rule in held.rules}
    if duties.POLICY in could and not can:
        drafts = {duties.DRAFT} if _anybody_may(ready, duties.PUBLISH) else set()
        wanting |= {duties.PUBLISH} | drafts
    now = {account.id: account.may for account in ready.accounts}
    people = {a.id for a in held.accounts if a.may & wanting - now.get(a.id, frozenset())}
    return _Awaited(frozenset(people), policy_first) if could and people else _Awaited()


def _anybody_may(access: EnvironmentAccess, permission: str) -> bool:
    return any(permission in account.may for account in access.accounts)


def _break_glass_duty(
    seen: OrganisationView, policy: PolicyRevision, access: EnvironmentAccess
) -> BreakGlassDuty | None:
    rule = policy.break_glass
    if rule is None:
        return None
    shortest = _shortest(seen, access.broken_glass, duties.SMALL)
    path = seen.words(shortest, policy.environment)
    locked_out = duties.locked_out(access.broken_glass)
    return BreakGlassDuty(rule.people, rule.hours, rule.skip, shortest, path, locked_out)
