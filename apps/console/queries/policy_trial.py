"""What a policy would say of what is open and live now, in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from apps.console.queries.page_parts import counted, in_a_row
from apps.governance import gates
from apps.governance.actions.duties import lockout
from apps.governance.approvals import ApprovalPolicy
from apps.governance.duties import DECIDES_AS, Account, Branch, EnvironmentAccess
from apps.governance.gates.facts import GateResult
from apps.governance.models import UNFINISHED_STATES, Environment, PolicyRevision
from apps.governance.queries.deciders import (
    RoleHolders,
    deciders,
    lacks_publisher,
    publishers,
    seats_there,
)
from apps.governance.queries.dry_run import DryRunRow, dry_run
from apps.governance.rules import PolicyState
from apps.governance.seats import Shortage
from apps.governance.seats import shortages as seats_short
from apps.identity.trust.positions import Positions, positions
from placet.kernel.actor import Actor
from placet_verify.permit.quorum import ApprovalRule
from placet_verify.permit.standing import OTHER_REPORTING_LINE, SECOND_LINE

STUCK = "no release could be approved, so it cannot be published."
STUCK_NOW = "no new request can be approved."  # by the policy in force
FIRST = "An access administrator gives people that role first, or the draft is withdrawn."
NOT_BEFORE = "Before that it cannot be published."
GIVE_ANOTHER = (
    "an access administrator gives it to somebody who did not write the draft first, or the draft "
    "is withdrawn."
)
STANDING = frozenset({SECOND_LINE, OTHER_REPORTING_LINE})  # what asks where people stand


@dataclass(frozen=True, slots=True)
class AskedPolicy:
    """A policy: what it asks for, and who wrote it, whom somebody else has to publish it for; '' of
    the one in force."""

    document: Mapping[str, Any]
    author: str = ""

    @classmethod
    def of(cls, row: PolicyRevision) -> Self:
        """Return a draft, or the policy in force, as it is looked at."""
        return cls(row.document, row.drafted_by if row.state == PolicyState.DRAFT else "")


@dataclass(frozen=True, slots=True)
class Trial:
    """A release that a policy was tried on."""

    row: DryRunRow

    @property
    def now(self) -> str:
        """How it stands under the policy in force."""
        return standing(self.row.before)

    @property
    def then(self) -> str:
        """How it would stand."""
        return standing(self.row.results)

    @property
    def held(self) -> list[GateResult]:
        """The gates that would hold it back."""
        return gates.holding_back(self.row.results)


@dataclass(frozen=True, slots=True)
class PolicyTrial:
    """What a policy was tried on, and what publishing it would bring about besides."""

    rows: list[Trial]
    shortages: list[str]  # why nobody could open one of its gates, a sentence each

    @property
    def dropped(self) -> str:
        """What becomes of the approvals that people signed under the policy in force."""
        count = sum(t.row.decisions for t in self.rows if t.row.release.state in UNFINISHED_STATES)
        if not count:
            return ""
        drops = counted(count, "decision")
        return (
            f"Publishing drops the {drops} on releases that have not started: people have to "
            "decide again. The test counts them as they stand."
        )


def policy_trial(place: Environment, document: Mapping[str, Any], actor: Actor) -> PolicyTrial:
    """Try a policy on what is open and live in ``place``, which was read with who decides there."""
    (short,) = lacking([AskedPolicy(document, actor.accountable)], place, actor)
    return PolicyTrial(rows=[Trial(row) for row in dry_run(place, document)], shortages=short)


def _held(row: RoleHolders) -> str:
    """Say how few people there are with a role."""
    if not row.people:
        return "nobody holds that role here"
    people, able = counted(len(row.people), "person holds", "people hold"), len(row.able)
    if able < len(row.people):
        few = f"only {able}" if able else "none"
        return f"{few} of those who hold that role here can decide ({row.names})"
    return f"only {people} that role here ({row.names})"


def standing(results: Sequence[GateResult]) -> str:
    """Return how a release stands by its gates: only what has failed is no waiting."""
    held = gates.holding_back(results)
    if results and not held:
        return "passed"
    failed = not results or any(gate["state"] != "waiting" for gate in held)
    return "failed" if failed else "waiting"


def outdated(draft: PolicyRevision, current: PolicyRevision | None) -> list[str]:
    """Return why a draft cannot be published where a newer policy was since."""
    if current is None or current.number < draft.number:
        return []
    return [
        f"r{current.number}, which is newer, is active: this draft cannot be published. Draft it "
        f"again on top of r{current.number}."
    ]


def lacking(policies: Sequence[AskedPolicy], place: Environment, actor: Actor) -> list[list[str]]:
    """Return of each draft why it could not be published as roles are held now, and of the policy
    in force why nobody can meet it, as far as the reader may know. ``place`` was read with who
    decides there; where people stand is read once, and only where a policy asks for it."""
    holders = deciders(place, actor)
    asked = [ApprovalPolicy.of(policy.document).rules for policy in policies]
    ids = {person.id for row in holders for person in row.able}
    stand = any(STANDING & {*rule.demands} for rules in asked for rule in rules)
    placed = positions(ids) if stand and ids else Positions({})
    found = []
    for policy, rules in zip(policies, asked, strict=True):
        so, before = (STUCK, f" {NOT_BEFORE}") if policy.author else (STUCK_NOW, "")
        said = list(shortages(policy.document["gates"], holders, so))
        if not said and holders and not any(row.is_cut for row in holders):
            why = lockout(policy.document, _able(rules, holders, placed))
            said = [f"{why}.{before}"] if why else []
        found.append([*no_publisher(policy.author, holders), *said])
    return found


def no_publisher(author: str, holders: Sequence[RoleHolders]) -> list[str]:
    """Say that nobody could publish a draft but its ``author``, who may not, and who mends that;
    nothing of a policy that nobody has to publish, or where others could."""
    row = publishers(holders)
    if row is None or not lacks_publisher(author, holders):
        return []
    if any(person.id != author for person in row.people):
        but = " else" if any(person.id == author for person in row.people) else ""
        who = f"nobody{but} who holds that role here can decide ({row.names})"
    else:
        who = (
            f"only {row.names}, who wrote it, holds it here" if row.people else "nobody has it here"
        )
    return [f"Publishing needs an approver who did not write the draft, and {who}: {GIVE_ANOTHER}"]


def with_remedy(found: Sequence[str]) -> list[str]:
    """Return why a draft cannot be published, as :func:`lacking` does, and who is to do what, where
    that does not say it."""
    short = any(sentence.endswith(STUCK) for sentence in found)
    return [*found, FIRST] if short else list(found)


def _able(
    rules: tuple[ApprovalRule, ...], holders: Sequence[RoleHolders], placed: Positions
) -> EnvironmentAccess:
    """Return those who decide, for the check that publishing makes. Whoever has no passkey may have
    one vouched for, and anybody may make and request: so it finds nobody locked out who is not."""
    may: dict[str, set[str]] = {}
    for row in holders:
        for person in row.able:
            may.setdefault(person.id, set()).add(DECIDES_AS[row.role])
    accounts = (
        Account(
            pk,
            pk,
            frozenset(held),
            passkey=True,
            line=placed.line(pk, for_=pk),
            branch=Branch.of(pk, placed.managers(pk, for_=pk)),
        )
        for pk, held in may.items()
    )
    return EnvironmentAccess(rules, tuple(accounts))


def shortages(
    policy: Iterable[Mapping[str, Any]],
    holders: Sequence[RoleHolders],
    so: str = STUCK,
    *,
    what: str = "It",
) -> Iterator[str]:
    """Yield a sentence for the gates that together ask for more people than hold their roles, each
    with what follows (``so``). Publishing also looks at passkeys and at where people stand: see
    :func:`lacking`."""
    there = {row.role: row for row in holders}
    seats = seats_there(policy, holders)
    for short in seats_short(seats):
        rows = [there[role] for role in short.roles]
        asks = Counter(seat.role for seat in seats if seat.role in short.roles)
        asked = in_a_row([counted(count, role) for role, count in asks.items()])
        held = _held(rows[0]) if len(rows) == 1 else _held_together(rows, short)
        yield f"{what} asks for {asked}, and {held}: {so}"


def short_roles(
    policy: Iterable[Mapping[str, Any]], holders: Sequence[RoleHolders]
) -> list[tuple[tuple[str, ...], bool]]:
    """Return the roles alone that :func:`shortages` speaks of, those of a sentence together, and
    whether anybody could decide as one of them."""
    short = seats_short(seats_there(policy, holders))
    return [(one.roles, bool(one.people)) for one in short]


def _held_together(rows: Sequence[RoleHolders], short: Shortage) -> str:
    """Say how few people there are with several roles."""
    names = {person.id: person.name for row in rows for person in row.able}
    held = counted(len(short.people), "person holds", "people hold")
    who = ", ".join(names[one] for one in short.people)
    return f"only {held} these roles here, each deciding once ({who})"
