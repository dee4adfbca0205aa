"""How few people could have a release approved, environment by environment, as access stands."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import CharField, Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Cast

from apps.governance import duties
from apps.governance.duties import (
    Binding,
    EnvironmentAccess,
    Organisation,
    OrganisationMember,
    PastAct,
    PathStep,
    ShortestPath,
)
from apps.governance.models import (
    UNFINISHED_STATES,
    BreakGlassSignature,
    Decision,
    Environment,
    PolicyRevision,
    Release,
)
from apps.governance.rules import BreakGlassState, PolicyState
from apps.identity.models import ApproverPasskey, PasskeyState, RoleBinding, TeamMember, User
from apps.identity.queries import visible
from apps.identity.rules import ROLES
from apps.identity.trust.positions import all_positions
from apps.identity.trust.second_factor import never_came, without_factor
from apps.registry.models import ModelVersion
from placet.kernel import keystore
from placet.kernel.actor import Actor
from placet_verify.permit.break_glass import CONFIRMER, OPENER
from placet_verify.statements import APPROVE


@dataclass(frozen=True, slots=True)
class Duty:
    """One environment: how many people its policy demands, and how few could do.

    ``fewest`` is the smallest set of people who could, each being who they seem to be; ``hired``
    a smaller one with an access admin who adds people that do not exist. Each with its path.
    ``break_glass`` says the same of those who break the glass; ``None`` where nobody may.
    ``now`` is the smallest set without the roles that wait: for a second factor, or for people who
    were invited and never signed in. Where without them nobody can have a release approved,
    ``waits_for`` has to set one up, and ``invited`` has to sign in, by name.
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

    @property
    def state(self) -> str:
        """Say how it stands: ``no_policy``, ``locked_out``, ``bypass``, ``waiting`` (nobody can
        until people have signed in once, or set up a second factor) or ``kept``."""
        if self.policy is None:
            return "no_policy"
        if self.fewest and self.fewest.people < self.demanded:
            return "bypass"
        if self.break_glass and self.break_glass.bypass:
            return "bypass"
        if self.locked_out:
            return "locked_out"
        return "waiting" if self.waits_for or self.invited else "kept"


@dataclass(frozen=True, slots=True)
class BreakGlassDuty:
    """Whom a policy demands to break the glass, how few could, and what it lets them skip."""

    demanded: int
    hours: int
    skip: tuple[str, ...]
    fewest: ShortestPath | None
    path: list[str]

    @property
    def bypass(self) -> bool:
        """Tell whether fewer could than the policy demands."""
        return self.fewest is not None and self.fewest.people < self.demanded


@dataclass(frozen=True, slots=True)
class OrganisationView:
    """Everybody, and every environment with a policy, as read at one moment."""

    organisation: Organisation
    names: dict[str, str]
    policies: dict[str, PolicyRevision]  # in force, by environment
    pinned: frozenset[str]
    # by person, the roles that demand a second factor of who has none: they are held, and count
    # from when they set one up, which they may do at any time
    withheld: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # who was invited and never signed in: their roles count from when they do
    absent: frozenset[str] = frozenset()

    def access(self, environment: str) -> EnvironmentAccess:
        """Return the people around an environment that has a policy."""
        policy = self.policies[environment]
        row = policy.environment
        rules, rule = policy.approvals.rules, policy.break_glass
        return duties.environment_access(
            self.organisation,
            row.project_id,
            row.name,
            rules,
            pinned=row.name in self.pinned,
            glass=rule.rules if rule else (),
        )

    def as_ready(self) -> "OrganisationView":
        """Return it without the roles that wait for somebody's second factor or first sign-in."""
        everybody = self.organisation
        if not self.withheld and not self.absent:
            return self

        def left(row: Binding) -> Iterable[Binding]:
            holders = everybody.teams.get(row.subject, frozenset({row.subject}))
            lacking = {one for one in holders if self.lacks(one, row.role)}
            if not lacking:
                return (row,)
            return [replace(row, subject=one) for one in sorted(holders - lacking)]

        bindings = tuple(one for row in everybody.bindings for one in left(row))
        return replace(self, organisation=replace(everybody, bindings=bindings))

    def lacks(self, person: str, role: str) -> str:
        """Say what a role of a person waits for, behind a sentence; '' where it counts."""
        if person in self.absent:
            return duties.SIGN_IN_FIRST
        return duties.FACTOR_FIRST if role in self.withheld.get(person, ()) else ""

    def afresh(self) -> "OrganisationView":
        """Return it without what people did for releases that are under way: it helps no other."""
        return replace(self, organisation=replace(self.organisation, past=()))

    def words(self, found: ShortestPath | None, environment: Environment) -> list[str]:
        """Return the path that was found as sentences."""
        steps = found.steps if found else ()
        given = {(step.whom, step.role) for step in steps if step.act == "grant"}
        waiting = {step: self._waits(step, environment, given) for step in steps}
        return duties.sentences(steps, self.names, environment.name, waiting)

    def _waits(
        self, step: PathStep, environment: Environment, given: Collection[tuple[str, str]]
    ) -> str:
        """Say what who takes a step waits for, who can do so only by roles that wait; '' where they
        wait for nothing."""
        permission = duties.permission_for(step)
        if not permission or not (step.who in self.absent or self.withheld.get(step.who)):
            return ""
        held, places = self.organisation.roles, ("", environment.project_id)
        bound = [row for place in places for row in held.get(place, {}).get(step.who, ())]
        here = ("", environment.name)
        roles = {(b.role, by_token) for b, by_token in bound if b.environment in here}
        roles |= {(role, False) for who, role in given if who == step.who}
        ways = [
            "" if by_token else self.lacks(step.who, role)
            for role, by_token in roles
            if permission in ROLES.get(role, ())
        ]
        return ways[0] if ways and all(ways) else ""


def look(*, past: bool = True) -> OrganisationView:
    """Read everybody and every policy in force (six queries, however many there are), and what
    people did for releases before, unless ``past`` says not to (one less)."""
    signing = ApproverPasskey.objects.filter(person=OuterRef("pk"), state=PasskeyState.ENROLLED)
    users = User.objects.order_by("pk").annotate(
        signs=Exists(signing), demanding=without_factor("pk"), absent=never_came("pk")
    )
    columns = ("pk", "name", "email", "is_active", "signs", "demanding", "absent")
    rows = list(users.values_list(*columns))
    withheld = {pk: frozenset(roles) for pk, *_, roles, _ in rows if roles}
    absent = frozenset(row[0] for row in rows if row[-1])
    placed = all_positions()
    mailboxes = [duties.mailbox(email) for _, _, email, *_ in rows]
    people = tuple(
        OrganisationMember(
            pk,
            mailbox,
            active=active,
            passkey=signs,
            line=placed.line(pk, for_=pk),
            reports_to=placed.managers(pk, for_=pk),
        )
        for mailbox, (pk, _, _, active, signs, *_) in zip(mailboxes, rows, strict=True)
    )
    shared = Counter(mailboxes)
    names = {
        pk: f"{name or email} ({email})" if shared[mailbox] > 1 else name or email
        for mailbox, (pk, name, email, *_) in zip(mailboxes, rows, strict=True)
    }
    written = PolicyRevision.objects.select_related("environment__project").defer("source")
    published = written.filter(state=PolicyState.PUBLISHED).order_by("environment_id", "-number")
    policies = {p.environment_id: p for p in published.distinct("environment_id")}
    bindings, services = _bindings()
    organisation = Organisation(
        people, bindings, _teams(), services, tuple(_past() if past else ())
    )
    pinned = frozenset(keystore.ring().passkeys)
    return OrganisationView(organisation, names, policies, pinned, withheld, absent)


def duties_of(environments: Iterable[Environment]) -> list[Duty]:
    """Search every one of ``environments`` (see :func:`look` for the queries; none for none)."""
    rows = list(environments)
    if not rows:
        return []
    seen = look()
    able = seen.as_ready()
    afresh = (seen.afresh(), able.afresh())  # once: each works out for itself who holds what
    return [_duty(environment, seen, able, afresh) for environment in rows]


def visible_duties(actor: Actor) -> QuerySet[Environment]:
    """Return the environments of the projects whose access ``actor`` administers or audits."""
    rows = Environment.objects.select_related("project")
    return visible(rows, actor, view="access.view")


def _duty(
    environment: Environment,
    seen: OrganisationView,
    able: OrganisationView,
    afresh: tuple[OrganisationView, OrganisationView],
) -> Duty:
    policy = seen.policies.get(environment.pk)
    if policy is None:
        return Duty(environment, None, 0, None, [], None, [], locked_out=False)
    access = seen.access(environment.pk)
    demanded = duties.demanded(access.rules)
    shortest = duties.fewest(access, most=demanded)
    fewer = (shortest.people if shortest else demanded + 1) - 1
    hired = duties.fewest(access, most=min(fewer, demanded - 1), hire=True)
    ready = able.access(environment.pk)
    awaited = set[str]() if ready == access else _awaited(*afresh, environment.pk)
    return Duty(
        environment,
        policy.number,
        demanded,
        shortest,
        seen.words(shortest, environment),
        hired,
        seen.words(hired, environment),
        locked_out=duties.locked_out(access),
        break_glass=_break_glass_duty(seen, policy, access),
        requesters=any(duties.REQUEST in account.may for account in access.accounts),
        passkeys=access.pinned or any(rule.passkey for rule in access.rules),
        now=shortest if ready == access else duties.fewest(ready, most=demanded),
        waits_for=tuple(sorted(seen.names[one] for one in awaited - seen.absent)),
        invited=tuple(sorted(seen.names[one] for one in awaited & seen.absent)),
    )


def _awaited(seen: OrganisationView, able: OrganisationView, environment: str) -> set[str]:
    """Return who would make, request or decide in an environment once they signed in or have a
    second factor, where nobody else can. Both views are :meth:`~OrganisationView.afresh`."""
    held, ready = (view.access(environment) for view in (seen, able))
    could, can = ([account.may for account in one.accounts] for one in (held, ready))
    wanting = {p for p in (duties.MAKE, duties.REQUEST) if _any_may(could, p)}
    wanting = {permission for permission in wanting if not _any_may(can, permission)}
    if duties.locked_out(ready) and not duties.locked_out(held):
        wanting |= {duties.DECIDES_AS[rule.role] for rule in held.rules}
    now = {account.id: account.may for account in ready.accounts}
    return {a.id for a in held.accounts if a.may & wanting - now.get(a.id, frozenset())}


def _any_may(accounts: Iterable[Collection[str]], permission: str) -> bool:
    return any(permission in may for may in accounts)


def _break_glass_duty(
    seen: OrganisationView, policy: PolicyRevision, access: EnvironmentAccess
) -> BreakGlassDuty | None:
    rule = policy.break_glass
    if rule is None:
        return None
    shortest = duties.fewest(access.broken_glass, most=duties.SMALL)
    path = seen.words(shortest, policy.environment)
    return BreakGlassDuty(rule.people, rule.hours, rule.skip, shortest, path)


def _bindings() -> tuple[tuple[Binding, ...], dict[str, str]]:
    """Return the roles that let somebody do anything for a release (most people only look), and the
    owners of the active service accounts that hold any."""
    held = RoleBinding.objects.filter(role__in=duties.OF_USE).order_by("pk")
    rows = held.values_list(
        "role",
        "person_id",
        "team_id",
        "service_account_id",
        "project_id",
        "environment",
        "service_account__owner_id",
        "service_account__is_active",
    )
    bindings, services = [], {}
    for role, person, team, service, project, environment, owner, active in rows:
        subject = person or team or service or ""
        bindings.append(Binding(role, subject, project or "", environment))
        if service and owner and active:
            services[service] = owner
    return tuple(bindings), services


def _teams() -> dict[str, frozenset[str]]:
    members: dict[str, set[str]] = {}
    for team, person in TeamMember.objects.values_list("team_id", "person_id"):
        members.setdefault(team, set()).add(person)
    return {team: frozenset(people) for team, people in members.items()}


def _past() -> list[PastAct]:
    """Return what people did that still has effect, whatever they may do now (one query)."""
    unfinished = Release.objects.filter(state__in=UNFINISHED_STATES)
    decided = Decision.objects.filter(release__in=unfinished, voided_reason="", verdict=APPROVE)
    newer = PolicyRevision.objects.filter(
        environment=OuterRef("environment"),
        number__gt=OuterRef("number"),
        state=PolicyState.PUBLISHED,
    )
    drafts = PolicyRevision.objects.filter(~Exists(newer), state=PolicyState.DRAFT)
    acts = [
        _done(ModelVersion.objects.all(), "author", duties.MAKE, Value("")),
        _done(unfinished, "requester", duties.REQUEST, F("environment__name")),
        _done(drafts, "drafted_by", duties.DRAFT, F("environment__name")),
    ]
    for role, permission in duties.DECIDES_AS.items():
        by_role = decided.filter(role=role)
        acts.append(_done(by_role, "person", permission, F("release__environment__name")))
    broken = BreakGlassSignature.objects.filter(glass__state=BreakGlassState.OPENED)
    for role in (OPENER, CONFIRMER):
        where = F("glass__release__environment__name")
        signed = broken.filter(role=role)
        acts.append(_done(signed, "person", duties.SIGNS_AS[role], where))
    return [
        PastAct(person, permission, project, environment)
        for project, person, permission, environment in acts[0].union(*acts[1:])
    ]


def _done(rows: QuerySet[Any], who: str, permission: str, where: Value | F) -> QuerySet[Any]:
    """Return who did what and where: project, person, permission, environment."""
    text = CharField()
    named: QuerySet[Any] = rows.order_by().annotate(
        does=Cast(who, text), what=Value(permission, text), where=Cast(where, text)
    )
    acts: QuerySet[Any] = named.values_list("project_id", "does", "what", "where")
    return acts.distinct()
