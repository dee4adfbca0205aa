"""The people around one environment, and what each of their accounts may do there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

from apps.governance.rules import ROLE_OF
from apps.identity.rules import NEVER_BY_TOKEN, ROLES
from placet_verify.permit.break_glass import OPENER
from placet_verify.permit.quorum import ApprovalRule
from placet_verify.permit.standing import OTHER_REPORTING_LINE, SECOND_LINE

MAKE, EDIT, REQUEST = "version.create", "version.edit", "release.request"
APPROVE = "release.approve"
DRAFT, PUBLISH = "policy.draft", "policy.publish"
GLASS = "release.break_glass"
HIRE = "access.manage"  # on the whole instance: adds people, and signs in first as them
VOUCH = "release.approve somewhere"  # with a passkey of one's own: enrols another's
HERE = frozenset({REQUEST, *ROLE_OF, DRAFT, PUBLISH, GLASS})  # held there is enough
IN_PROJECT = HERE | {MAKE, EDIT}
OF_USE = frozenset(role for role, may in ROLES.items() if may & (IN_PROJECT | {HIRE}))
DECIDES_AS = {role: permission for permission, role in ROLE_OF.items()}
DECISIONS = frozenset({*ROLE_OF, PUBLISH, GLASS})  # what a recall of decisions takes
SIGNS_AS = DECIDES_AS | {OPENER: GLASS}


@dataclass(frozen=True, slots=True)
class OrganisationMember:
    """An account. ``mailbox`` is where its mail arrives: accounts that share it are one human.

    ``superuser`` is Django's flag. It opens nothing, so nothing here reads it.
    """

    id: str
    mailbox: str
    active: bool = True
    superuser: bool = False
    passkey: bool = False  # one that counts is enrolled
    line: str = ""  # of defence
    reports_to: tuple[str, ...] | None = None  # up to the top; None where that is not known
    decides: bool = True  # False: their decisions were recalled; whatever else they do counts


@dataclass(frozen=True, slots=True)
class Binding:
    """A role of a person, a team or a service account; '' is everywhere, or the whole project."""

    role: str
    subject: str
    project: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class PastAct:
    """What somebody did that still has effect, whatever they may do now: a version that they made,
    an unfinished release that they asked for or decided on, a draft of a policy."""

    person: str
    permission: str
    project: str
    environment: str = ""


@dataclass(frozen=True)
class Organisation:
    """Everybody, as plainly as the tables have it.

    Tokens are not in it: whoever answers for an account may issue one at any time, and it carries
    no more than the account may do.
    """

    people: tuple[OrganisationMember, ...]
    bindings: tuple[Binding, ...] = ()
    teams: Mapping[str, frozenset[str]] = field(default_factory=dict)  # team: people
    services: Mapping[str, str] = field(default_factory=dict)  # active service account: owner
    past: tuple[PastAct, ...] = ()

    @cached_property
    def roles(self) -> dict[str, dict[str, list[tuple[Binding, bool]]]]:
        """Return the roles of each person in each project, '' for those held everywhere.

        ``True`` marks a role that is held through a program.
        """
        held: dict[str, dict[str, list[tuple[Binding, bool]]]] = {}
        for binding in self.bindings:
            owner = self.services.get(binding.subject)
            there = held.setdefault(binding.project, {})
            for who in self.teams.get(binding.subject, {owner or binding.subject}):
                there.setdefault(who, []).append((binding, owner is not None))
        return held

    @cached_property
    def acts(self) -> dict[str, list[PastAct]]:
        """Return what was done in each project."""
        done: dict[str, list[PastAct]] = defaultdict(list)
        for act in self.past:
            done[act.project].append(act)
        return done

    @cached_property
    def order(self) -> dict[str, int]:
        """Return the place of each person in ``people``."""
        return {person.id: place for place, person in enumerate(self.people)}

    @cached_property
    def signers(self) -> frozenset[str]:
        """Return who has a passkey that counts."""
        return frozenset(person.id for person in self.people if person.passkey)

    def among(self, ids: Iterable[str]) -> list[OrganisationMember]:
        """Return the people of these ids, in the order of ``people``."""
        places = sorted(self.order[one] for one in ids if one in self.order)
        return [self.people[place] for place in places]

    @cached_property
    def vouchers(self) -> frozenset[str]:
        """Return who decides as approver somewhere, and so may vouch for a passkey."""
        return frozenset(
            who
            for there in self.roles.values()
            for who, held in there.items()
            if any(APPROVE in ROLES.get(b.role, ()) and not by_token for b, by_token in held)
        )


@dataclass(frozen=True, slots=True)
class Branch:
    """The part of an organisation that somebody is in: below which ``top``, under whom of those
    who report straight to it. The top itself has no ``head``."""

    top: str
    head: str = ""

    @classmethod
    def of(cls, person: str, reports_to: tuple[str, ...] | None) -> "Branch | None":
        """Return the branch of a person with these managers."""
        if reports_to is None:
            return None
        line = (person, *reports_to)
        return cls(line[-1], line[-2] if reports_to else "")

    def apart(self, other: "Branch") -> bool:
        """Tell whether people of these branches have independent reporting lines.

        It says of two people what ``placet_verify.permit.standing.independent`` does.
        """
        if self.top != other.top:
            return True
        return bool(self.head and other.head) and self.head != other.head


@dataclass(frozen=True, slots=True)
class Account:
    """One account and what it may do in one environment: permissions, and :data:`VOUCH`.

    ``line`` and ``branch`` are told only where the policy asks for them.
    """

    id: str
    human: str
    may: frozenset[str]
    passkey: bool = False
    line: str = ""
    branch: Branch | None = None


@dataclass(frozen=True, slots=True)
class EnvironmentAccess:
    """One environment: whom its policy demands, and the accounts that may do anything there.

    ``pinned`` says that ``keys.json`` takes no approval without a passkey here, whatever a policy
    says. ``glass`` is whom its policy demands to break the glass, nobody where it lets nobody; in a
    place that is ``broken`` that is all one looks at, and no policy is changed.
    """

    rules: tuple[ApprovalRule, ...]
    accounts: tuple[Account, ...]
    pinned: bool = False
    glass: tuple[ApprovalRule, ...] = ()
    broken: bool = False

    def asks(self, demand: str) -> bool:
        """Tell whether any decision here is counted by this rule about independence."""
        return any(demand in rule.demands for rule in self.rules)

    @property
    def signed(self) -> bool:
        """Tell whether any decision here counts only with a passkey."""
        return self.pinned or any(rule.passkey for rule in (*self.rules, *self.glass))

    @property
    def broken_glass(self) -> "EnvironmentAccess":
        """The same place for those who break the glass there."""
        accounts = self.accounts if self.glass else ()
        return EnvironmentAccess(self.glass, accounts, self.pinned, broken=True)


def mailbox(email: str) -> str:
    """Return where mail to ``email`` arrives: ``ada+test@x.org`` is ``ada@x.org``."""
    local, _, domain = email.lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def environment_access(
    organisation: Organisation,
    project: str,
    environment: str,
    rules: tuple[ApprovalRule, ...],
    *,
    pinned: bool = False,
    glass: tuple[ApprovalRule, ...] = (),
) -> EnvironmentAccess:
    """Return the people around one environment of ``organisation``.

    Where it is pinned every decision counts by passkey alone, also under a policy from before.
    """
    if pinned:
        rules, glass = (
            tuple(replace(rule, passkey=True) for rule in some) for some in (rules, glass)
        )
    access = EnvironmentAccess(rules, (), pinned, glass)
    everywhere, here = (organisation.roles.get(where, {}) for where in ("", project))
    past: dict[str, set[str]] = {}
    for done in organisation.acts.get(project, ()):
        if done.environment in ("", environment):
            past.setdefault(done.person, set()).add(done.permission)
    accounts, signed = [], access.signed
    concerned = {*past, *everywhere, *here}
    if signed:
        concerned |= organisation.vouchers | organisation.signers
    for person in organisation.among(concerned):
        may = set(past.get(person.id, ()))
        if person.active:
            for binding, by_token in (*everywhere.get(person.id, ()), *here.get(person.id, ())):
                may |= _given(binding, by_token, environment)
            if signed and person.id in organisation.vouchers:
                may.add(VOUCH)
        may.difference_update(() if person.decides else DECISIONS)
        passkey = person.passkey and person.active and signed
        if may or passkey:
            stands = _stands(person, access, past.get(person.id, set()))
            accounts.append(Account(person.id, person.mailbox, frozenset(may), passkey, *stands))
    return replace(access, accounts=tuple(accounts))


def _stands(
    person: OrganisationMember, access: EnvironmentAccess, done: set[str]
) -> tuple[str, Branch | None]:
    """Return line of defence and branch of a person, where the policy asks for them.

    Who decided on a release that is unfinished may have stood elsewhere then, and that counts on:
    they are taken to have stood where it helps.
    """
    decided = bool(done & ROLE_OF.keys())
    line = "second" if decided else person.line
    branch = Branch(person.id) if decided else Branch.of(person.id, person.reports_to)
    return (
        line if access.asks(SECOND_LINE) else "",
        branch if access.asks(OTHER_REPORTING_LINE) else None,
    )


def _given(binding: Binding, by_token: bool, environment: str) -> frozenset[str]:
    """Return what one role of the project gives in an environment; a token carries no decision."""
    if binding.environment not in ("", environment):
        return frozenset()
    return _reaching(binding.role, bool(binding.project), bool(binding.environment), by_token)


@cache
def _reaching(role: str, in_project: bool, here: bool, by_token: bool) -> frozenset[str]:
    reach = HERE if here else IN_PROJECT
    reach = reach if in_project else reach | {HIRE}
    permissions = ROLES.get(role, frozenset()) & reach
    return permissions - NEVER_BY_TOKEN if by_token else permissions
