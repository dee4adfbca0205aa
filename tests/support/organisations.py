"""Organisations made at random, with and without a way for too few people, known by their making.

In a sound one everybody in ``risk`` holds one kind of role, so that nobody who asks also drafts or
decides; around them stand things that look like a way and are none. A planted one has one thing
more.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from apps.governance.duties import Binding, Organisation, OrganisationMember, PastAct
from placet_verify.permit.quorum import ApprovalRule
from placet_verify.permit.standing import DEMANDS

TWO_DECIDE = (ApprovalRule("reviewer", 1), ApprovalRule("approver", 1))
ONE_SIGNS = (ApprovalRule("approver", 1, passkey=True),)
KINDS = ("contributor", "reviewer", "approver", "operator")


@dataclass
class Draft:
    """An organisation that is being made."""

    rng: random.Random
    people: list[OrganisationMember] = field(default_factory=list)
    bindings: list[Binding] = field(default_factory=list)
    teams: dict[str, set[str]] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    past: list[PastAct] = field(default_factory=list)
    by_kind: dict[str, list[str]] = field(default_factory=dict)

    def person(self, mailbox: str = "", **fields: bool) -> str:
        """Add somebody; return their id."""
        name = f"per_{len(self.people)}"
        self.people.append(OrganisationMember(name, mailbox or f"{name}@example.com", **fields))
        return name

    def grant(self, role: str, subject: str, project: str = "risk", environment: str = "") -> None:
        """Give a role."""
        self.bindings.append(Binding(role, subject, project, environment))

    def one(self, kind: str) -> str:
        """Return somebody of this kind."""
        return self.rng.choice(self.by_kind[kind])

    def team(self, *members: str) -> str:
        """Add a team."""
        name = f"tem_{len(self.teams)}"
        self.teams[name] = set(members)
        return name

    def service(self, owner: str) -> str:
        """Add a service account."""
        name = f"svc_{len(self.services)}"
        self.services[name] = owner
        return name

    def mailbox(self, person: str) -> str:
        """Return where somebody's mail arrives."""
        return next(p.mailbox for p in self.people if p.id == person)

    def made(self) -> Organisation:
        """Return it as it is now."""
        return Organisation(
            tuple(self.people),
            tuple(self.bindings),
            {name: frozenset(members) for name, members in self.teams.items()},
            dict(self.services),
            tuple(self.past),
        )


def sound(rng: random.Random, size: int) -> Draft:
    """Make an organisation of about ``size`` people without a way for fewer than three."""
    draft = Draft(rng)
    for number in range(max(size, len(KINDS) * 2)):
        kind = KINDS[number % len(KINDS)] if number < 8 else rng.choice((*KINDS, "viewer"))
        who = draft.person()
        draft.by_kind.setdefault(kind, []).append(who)
        where = ("risk", "") if kind == "contributor" else rng.choice([("risk", ""), ("", "")])
        subject = draft.team(who) if rng.random() < 0.2 else who
        draft.grant(kind, subject, *where)
        if kind in ("reviewer", "approver", "operator") and rng.random() < 0.3:
            draft.grant(kind, who, "risk", "production")
    for decoy in rng.sample(DECOYS, rng.randint(0, len(DECOYS))):
        decoy(draft)
    return draft


def _superuser(draft: Draft) -> None:
    place = draft.rng.randrange(len(draft.people))
    draft.people[place] = replace(draft.people[place], superuser=True)
    draft.person(superuser=True)


def _program_of_its_kind(draft: Draft) -> None:
    kind = draft.rng.choice(KINDS)
    draft.grant(kind, draft.service(draft.one(kind)))


def _program_cannot_decide(draft: Draft) -> None:
    draft.grant("reviewer", draft.service(draft.one("contributor")))


def _second_account_switched_off(draft: Draft) -> None:
    second = draft.person(draft.mailbox(draft.one("contributor")), active=False)
    draft.grant("approver", second)


def _second_account_elsewhere(draft: Draft) -> None:
    second = draft.person(draft.mailbox(draft.one("contributor")))
    draft.grant("approver", second, draft.rng.choice(["fraud", "sales"]))
    draft.grant("reviewer", second, "risk", "staging")


def _other_roles_elsewhere(draft: Draft) -> None:
    who = draft.one("contributor")
    draft.grant("approver", who, "fraud")
    draft.grant("operator", draft.team(who), "risk", "staging")


def _done_elsewhere(draft: Draft) -> None:
    draft.past.append(PastAct(draft.one("contributor"), "policy.draft", "fraud", "production"))
    draft.past.append(PastAct(draft.one("contributor"), "release.review", "risk", "staging"))


def _made_long_ago(draft: Draft) -> None:
    draft.past.append(PastAct(draft.one("reviewer"), "version.create", "risk"))


def _auditor(draft: Draft) -> None:
    draft.grant("auditor", draft.one("contributor"), "")
    draft.grant("viewer", draft.one("operator"))


DECOYS = (
    _superuser,
    _program_of_its_kind,
    _program_cannot_decide,
    _second_account_switched_off,
    _second_account_elsewhere,
    _other_roles_elsewhere,
    _done_elsewhere,
    _made_long_ago,
    _auditor,
)


def _second_account(draft: Draft) -> None:
    second = draft.person(draft.mailbox(draft.one("contributor")))
    draft.grant(draft.rng.choice(["reviewer", "approver"]), second)


def _asks_and_drafts(draft: Draft) -> None:
    draft.grant(draft.rng.choice(["operator", "approver"]), draft.one("contributor"))


def _by_a_team(draft: Draft) -> None:
    team = draft.team(draft.one("contributor"))
    draft.grant(draft.rng.choice(["operator", "approver"]), team, "risk", "production")


def _asks_by_a_program(draft: Draft) -> None:
    draft.grant("contributor", draft.service(draft.one(draft.rng.choice(["operator", "approver"]))))


def _drafts_by_a_program(draft: Draft) -> None:
    owner = draft.one("contributor")
    draft.grant(draft.rng.choice(["operator", "approver"]), draft.service(owner))


def _drafted_before(draft: Draft) -> None:
    draft.past.append(PastAct(draft.one("contributor"), "policy.draft", "risk", "production"))


def _asked_before(draft: Draft) -> None:
    who = draft.one("operator")
    draft.past.append(PastAct(who, "release.request", "risk", "production"))
    draft.past.append(PastAct(who, "version.create", "risk"))


def _everywhere(draft: Draft) -> None:
    draft.grant("contributor", draft.one(draft.rng.choice(["operator", "approver"])), "")


PLANTS: dict[str, Callable[[Draft], None]] = {
    "second account": _second_account,
    "asks and drafts": _asks_and_drafts,
    "by a team": _by_a_team,
    "asks by a program": _asks_by_a_program,
    "drafts by a program": _drafts_by_a_program,
    "drafted before": _drafted_before,
    "asked before": _asked_before,
    "everywhere": _everywhere,
}


def signed(rng: random.Random, size: int) -> Draft:
    """Make a sound organisation whose approvers sign by passkey, with access admins who do not.

    One of those and an approver together reach whatever asks for two, and nobody alone does.
    """
    draft = sound(rng, size)
    approvers = set(draft.by_kind["approver"])
    draft.people = [replace(p, passkey=p.id in approvers) for p in draft.people]
    for _ in range(rng.randint(1, 3)):
        admin = draft.person()
        draft.by_kind.setdefault("admin", []).append(admin)
        draft.grant("admin", admin, "")
    draft.grant("admin", draft.one("approver"), "risk")
    return draft


def _admin_signs(draft: Draft) -> None:
    draft.grant("admin", draft.one("approver"), "")


def _signs_by_a_second_account(draft: Draft) -> None:
    second = draft.person(draft.mailbox(draft.one("admin")), passkey=True)
    draft.grant("approver", second, draft.rng.choice(["risk", "fraud"]))


def _enrolled_long_ago(draft: Draft) -> None:
    admin = draft.one("admin")
    draft.people = [replace(p, passkey=p.passkey or p.id == admin) for p in draft.people]


SIGNED_PLANTS: dict[str, Callable[[Draft], None]] = {
    "admin who signs": _admin_signs,
    "admin with a second account that signs": _signs_by_a_second_account,
    "admin who still has a passkey": _enrolled_long_ago,
}


def anything(rng: random.Random) -> Organisation:
    """Make a small organisation without any plan, for :mod:`tests.support.reach` to judge."""
    draft = Draft(rng)
    for _ in range(rng.randint(2, 4)):
        draft.person(active=rng.random() < 0.9, passkey=rng.random() < 0.3)
    if rng.random() < 0.4:
        draft.person(rng.choice(draft.people).mailbox, passkey=rng.random() < 0.3)
    ids = [person.id for person in draft.people]
    subjects = [*ids, draft.team(*rng.sample(ids, 2)), draft.service(rng.choice(ids))]
    for _ in range(rng.randint(4, 9)):
        project = rng.choice(["risk", "risk", "risk", "", "fraud"])
        environment = rng.choice(["", "", "", "production", "staging"]) if project else ""
        role = rng.choice([*KINDS, *KINDS, "admin"])
        draft.grant(role, rng.choice(subjects), project, environment)
    for permission in ("version.create", "release.request", "policy.draft", "release.approve"):
        if rng.random() < 0.1:
            where = rng.choice(["production", "staging"])
            draft.past.append(PastAct(rng.choice(ids), permission, "risk", where))
    draft.people = placed(rng, draft.people)
    return draft.made()


def placed(rng: random.Random, people: list[OrganisationMember]) -> list[OrganisationMember]:
    """Give each of ``people`` a line of defence and a manager: one of two heads under one top, that
    top, somebody before them, or nobody that is known. A few are a top themselves."""
    above: dict[str, tuple[str, ...] | None] = {"ceo": (), "h1": ("ceo",), "h2": ("ceo",)}
    found = []
    for person in people:
        manager = rng.choice([*above, "h1", "h2", "nobody", "themselves"])
        line = above.get(manager)
        above[person.id] = (
            () if manager == "themselves" else None if line is None else (manager, *line)
        )
        found.append(
            replace(
                person,
                line=rng.choice(["", "first", "second", "second"]),
                reports_to=above[person.id],
            )
        )
    return found


def any_rules(rng: random.Random) -> tuple[ApprovalRule, ...]:
    """Make the approvals gates of a policy, lax ones and strict ones."""
    return tuple(
        ApprovalRule(
            role,
            rng.randint(1, 2),
            exclude_requester=rng.random() < 0.7,
            exclude_author=rng.random() < 0.7,
            passkey=rng.random() < 0.3,
            demands=tuple(demand for demand in DEMANDS if rng.random() < 0.15),
        )
        for role in rng.sample(["reviewer", "approver"], rng.randint(1, 2))
    )
