"""Everybody, and every environment with a policy, as access stands: what is searched for few people
who could have a release approved."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
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
from apps.identity.models import NAMELESS, RoleBinding, TeamMember, User
from apps.identity.queries import sees_in
from apps.identity.rules import ROLES
from apps.identity.trust.positions import all_positions
from apps.identity.trust.second_factor import (
    has_passkey,
    never_came,
    not_signed_in,
    without_factor,
)
from apps.registry.models import ModelVersion
from apps.serving.hooks import keeper
from placet.kernel import keystore
from placet.kernel.actor import Actor
from placet_verify.permit.break_glass import CONFIRMER, OPENER
from placet_verify.statements import APPROVE


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
    # who was invited, or let in again then, and did not sign in since: their roles count from when
    # they do
    absent: Mapping[str, datetime | None] = field(default_factory=dict)
    # whose decisions were recalled: what they decide counts from when that is withdrawn
    recalled: frozenset[str] = frozenset()

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
        """Return it without the roles that wait, nor what does not count: see :class:`Duty`."""
        waits = self.withheld or self.absent
        return (self._without(self._waits_itself) if waits else self).as_counted()

    def as_counted(self) -> "OrganisationView":
        """Return it with people whose decisions were recalled deciding nothing.

        Only another person gives them that back: they are not there to be asked, unlike people who
        can come, or set up a second factor, at any time. Whatever else they do counts.
        """
        if not self.recalled:
            return self
        people = (
            replace(one, decides=one.id not in self.recalled) for one in self.organisation.people
        )
        return replace(self, organisation=replace(self.organisation, people=tuple(people)))

    def _without(self, lacks: Callable[[str, str], object]) -> "OrganisationView":
        everybody = self.organisation

        def left(row: Binding) -> Iterable[Binding]:
            holders = everybody.teams.get(row.subject, frozenset({row.subject}))
            lacking = {one for one in holders if lacks(one, row.role)}
            if not lacking:
                return (row,)
            return [replace(row, subject=one) for one in sorted(holders - lacking)]

        bindings = tuple(one for row in everybody.bindings for one in left(row))
        return replace(self, organisation=replace(everybody, bindings=bindings))

    def _waits_itself(self, person: str, role: str) -> str:
        """Say what a role of a person waits for that they can do themselves, behind a sentence; ''
        where it counts."""
        if person in self.absent:
            at = self.absent[person]
            return f" ({not_signed_in(at)})" if at else duties.SIGN_IN_FIRST
        return duties.FACTOR_FIRST if role in self.withheld.get(person, ()) else ""

    def called(self, people: Iterable[str]) -> tuple[str, ...]:
        """Return the names of people, in order."""
        return tuple(sorted(self.names[one] for one in people))

    def givers(self, environment: Environment, project: str) -> tuple[str, ...]:
        """Return by name who could give roles in an environment now, by a role in ``project``, ''
        for those who hold it everywhere."""
        here = ("", environment.name)
        ids = {
            who
            for who, held in self.organisation.roles.get(project, {}).items()
            for row, by_token in held
            if duties.HIRE in ROLES.get(row.role, ()) and not by_token and row.environment in here
            if not self._waits_itself(who, row.role)
        }
        return self.called(one.id for one in self.organisation.among(ids) if one.active)

    def let_in_again(self, people: Iterable[str]) -> tuple[datetime, ...]:
        """Return when those of these were let in again who did not sign in since."""
        return tuple(at for one in people if (at := self.absent.get(one)))

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
        if not permission:
            return ""
        if permission in duties.DECISIONS and step.who in self.recalled.difference(self.absent):
            return duties.RECALLED_FIRST
        if step.who not in self.absent and not self.withheld.get(step.who):
            return ""
        held, places = self.organisation.roles, ("", environment.project_id)
        bound = [row for place in places for row in held.get(place, {}).get(step.who, ())]
        here = ("", environment.name)
        roles = {(b.role, by_token) for b, by_token in bound if b.environment in here}
        roles |= {(role, False) for who, role in given if who == step.who}
        ways = [
            "" if by_token else self._waits_itself(step.who, role)
            for role, by_token in roles
            if permission in ROLES.get(role, ())
        ]
        return ways[0] if ways and all(ways) else ""


def look(*, past: bool = True, addresses: bool = True) -> OrganisationView:
    """Read everybody and every policy in force (six queries, however many there are), and what
    people did for releases before, unless ``past`` says not to (one less). Who has no name is
    called by their address, unless ``addresses`` says that it is read by who may not see those."""
    users = User.objects.order_by("pk").annotate(
        signs=has_passkey("pk"),
        demanding=without_factor("pk"),
        absent=never_came("pk"),
        recalled=keeper().uncounts(OuterRef("pk")),
    )
    columns = ("pk", "name", "email", "is_active", "signs", "demanding")
    more = ("recalled", "absent", "reactivated_at")
    rows = list(users.values_list(*columns, *more))
    withheld = {pk: frozenset(roles) for pk, *_, roles, _, _, _ in rows if roles}
    recalled = frozenset(row[0] for row in rows if row[-3])
    absent = {row[0]: row[-1] for row in rows if row[-2]}
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
    written = PolicyRevision.objects.select_related("environment__project").defer("source")
    published = written.filter(state=PolicyState.PUBLISHED).order_by("environment_id", "-number")
    policies = {p.environment_id: p for p in published.distinct("environment_id")}
    bindings, services = _bindings()
    organisation = Organisation(
        people, bindings, _teams(), services, tuple(_past() if past else ())
    )
    pinned = frozenset(keystore.ring().passkeys)
    names = _names(mailboxes, [row[:3] for row in rows], addresses=addresses)
    return OrganisationView(organisation, names, policies, pinned, withheld, absent, recalled)


def is_told_addresses(actor: Actor) -> bool:
    """Tell whether ``actor`` may read the addresses of people of any project: who sees who has
    access in all of them."""
    return sees_in(None, "access.view", actor)


def _names(
    mailboxes: Sequence[str], rows: Sequence[tuple[str, str, str]], *, addresses: bool
) -> dict[str, str]:
    """Return what people are called by their ids: with the address where they share a mailbox, as
    nothing else tells such accounts apart; but who has no name only with ``addresses``."""
    shared, names = Counter(mailboxes), dict[str, str]()
    for mailbox, (pk, name, email) in zip(mailboxes, rows, strict=True):
        called = name or (email if addresses else NAMELESS)
        tells = shared[mailbox] > 1 and (name or addresses)
        names[pk] = f"{called} ({email})" if tells else called
    return names


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
