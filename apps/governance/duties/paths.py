"""Whether some accounts together could have a release of a version they made approved, and how.

What is asked of people is what the actions ask: who makes a version, who requests, who decides
(once each, neither requester nor author where the policy says so, by passkey where it says so, of
the second line, in another reporting line, without a hand in the artifact), and who changes the
policy first (one drafts, another publishes). Who owns the data and who wrote the code is declared
by whoever may edit the version, so of these it is asked only that somebody else declares it. Gates
that ask for no people (a scan, soaking, a freeze) are taken as passed, and starting what was
approved is not counted: so a path may be harder to walk than it says, never easier.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from apps.governance.duties.organisation import (
    DECIDES_AS,
    DRAFT,
    EDIT,
    GLASS,
    HIRE,
    MAKE,
    PUBLISH,
    REQUEST,
    SIGNS_AS,
    VOUCH,
    Account,
    Branch,
    EnvironmentAccess,
)
from apps.governance.rules import APPROVER, ROLE_OF
from apps.governance.seats import taken
from placet_verify.permit.quorum import ApprovalRule, excluded
from placet_verify.permit.standing import NOT_LAST_TOUCHED, OTHER_REPORTING_LINE

QUORUM, POLICY = "quorum", "policy"  # the ways in: people decide, or change the policy first
NOBODY = "made up "  # begins the id of an account of somebody who does not exist
MADE_UP = frozenset({MAKE, EDIT, REQUEST, *ROLE_OF, DRAFT, PUBLISH, GLASS, VOUCH})
# whose draft somebody put other files into: the author whom the release names
SOMEBODY_ELSE = Account(
    "somebody else", "somebody else", frozenset(), branch=Branch("somebody else")
)
# the laxest policies that ``keys.json`` lets pass where it demands passkeys
LAX_PINNED = tuple(
    (ApprovalRule(role, 1, exclude_requester=False, exclude_author=False, passkey=True),)
    for role in DECIDES_AS
)
# nobody meets these towards a version that they made and asked for themselves
APART = frozenset({OTHER_REPORTING_LINE, NOT_LAST_TOUCHED})
_ROLE_FOR = {
    "make": "contributor",
    "edit": "contributor",
    "request": "contributor",
    "draft": APPROVER,
    "publish": APPROVER,
    "grant": "admin",
}


@dataclass(frozen=True, slots=True)
class PathStep:
    """One thing that ``who`` does: ``hire``, ``grant``, ``vouch``, ``draft``, ``publish``,
    ``make``, ``edit``, ``request``, ``approve`` or ``break``. ``role`` is what ``whom`` is given,
    or what ``who`` decides as.
    """

    act: str
    who: str
    whom: str = ""
    role: str = ""


_PERMISSION_FOR = {
    "make": MAKE,
    "edit": EDIT,
    "request": REQUEST,
    "draft": DRAFT,
    "publish": PUBLISH,
    "hire": HIRE,
    "grant": HIRE,
}


def permission_for(step: PathStep) -> str:
    """Return what somebody must be allowed to for a step; '' where no role is asked here."""
    decides = step.act in ("approve", "break")
    return SIGNS_AS.get(step.role, "") if decides else _PERMISSION_FOR.get(step.act, "")


def demanded(rules: Sequence[ApprovalRule]) -> int:
    """Return how many distinct people a policy demands, requester and author among them.

    One person may be both, and fills a place of the quorum too where a gate excludes neither.
    """
    approvals = sum(rule.count for rule in rules)
    own = any(
        not rule.exclude_requester and not rule.exclude_author and not APART & {*rule.demands}
        for rule in rules
    )
    return approvals if own else approvals + 1


def path(
    team: Sequence[Account], access: EnvironmentAccess, *, hire: bool = False
) -> tuple[PathStep, ...] | None:
    """Return the steps by which ``team`` alone has a release approved, or ``None``.

    With ``hire`` an access admin among them also adds people who do not exist. Monotone: whoever
    may do more, and a larger team, reaches whatever less does.
    """
    boss = next((a for a in team if HIRE in a.may), None) if hire else None
    if boss is not None:
        team = [*team, *_made_up(access, boss)]
    hand = _Hand(team, boss)
    steps = hand.by_quorum(access.rules)
    if access.broken:
        steps = [_broken(step) for step in steps] if steps else None
    else:
        steps = steps or hand.by_policy(access)
    if steps is None:
        return None
    return tuple(dict.fromkeys([*_hirings(boss, steps), *steps] if boss else steps))


def _broken(step: PathStep) -> PathStep:
    """Return an approval as what it is where the glass is broken."""
    return replace(step, act="break") if step.act == "approve" else step


def by_quorum(team: Sequence[Account], access: EnvironmentAccess) -> bool:
    """Tell whether ``team`` has a release approved without changing the policy."""
    return _Hand(team, None).by_quorum(access.rules) is not None


def ways_of(team: Sequence[Account], access: EnvironmentAccess) -> frozenset[str]:
    """Return by which of the two ways ``team`` has a release approved."""
    hand = _Hand(team, None)
    found = {QUORUM: hand.by_quorum(access.rules), POLICY: hand.by_policy(access)}
    return frozenset(way for way, steps in found.items() if steps is not None)


def _made_up(access: EnvironmentAccess, boss: Account) -> list[Account]:
    """Return as many accounts of people who do not exist as could be of use."""
    count = 1 + max(1, sum(rule.count for rule in access.rules))
    names = [f"{NOBODY}{n}" for n in range(1, count + 1)]
    return [
        Account(name, boss.human, MADE_UP, line="second", branch=Branch(name)) for name in names
    ]


def _hirings(boss: Account, steps: Sequence[PathStep]) -> list[PathStep]:
    """Return how everybody comes in who does not exist, with the roles that they need."""
    needed: dict[str, set[str]] = {}
    for step in steps:
        if step.who.startswith(NOBODY):
            role = step.role if step.act in ("approve", "break") else _ROLE_FOR[step.act]
            needed.setdefault(step.who, set()).add(role)
    return [
        PathStep("hire", boss.id, who, " and ".join(sorted(roles)))
        for who, roles in sorted(needed.items())
    ]


class _Hand:
    """The accounts that act together. ``boss`` gives roles to those of them who are made up."""

    def __init__(self, team: Sequence[Account], boss: Account | None) -> None:
        self.team, self.boss = team, boss

    def by_quorum(self, rules: Sequence[ApprovalRule]) -> list[PathStep] | None:
        """One makes it, one asks, and others decide, as the rules say."""
        if sum(rule.count for rule in rules) > len(self.team):
            return None
        touched = any(NOT_LAST_TOUCHED in rule.demands for rule in rules)
        for make_step, author in self._made(every_editor=touched):
            for requester in self._unlike(REQUEST, first=author):
                chosen = self._assign(rules, author, requester, make_step.who)
                if chosen is not None:
                    steps = [make_step, PathStep("request", requester.id)]
                    for rule, person in chosen:
                        steps += self._vouched(person) if rule.passkey else []
                        steps.append(PathStep("approve", person.id, role=rule.role))
                    return steps
        return None

    def _made(self, *, every_editor: bool) -> Iterator[tuple[PathStep, Account]]:
        """Yield how a version comes about, and whom it names as its author.

        Which editor it is matters only where who touched the artifact does not count.
        """
        for author in self._unlike(MAKE):
            yield PathStep("make", author.id), author
        for editor in self._unlike(EDIT):
            yield PathStep("edit", editor.id), SOMEBODY_ELSE
            if not every_editor:
                return

    def by_policy(self, access: EnvironmentAccess) -> list[PathStep] | None:
        """One drafts a policy that demands next to nobody, another publishes it."""
        for publisher in self._unlike(PUBLISH):
            drafters = (a for a in self.team if DRAFT in a.may and a.id != publisher.id)
            drafter = next(drafters, None)
            if drafter is None or (access.signed and not self._signs(publisher)):
                continue
            for lax in LAX_PINNED if access.pinned else ((),):
                rest = self.by_quorum(lax)
                if rest is not None:
                    vouched = self._vouched(publisher) if access.signed else []
                    changed = [PathStep("draft", drafter.id), PathStep("publish", publisher.id)]
                    return [*vouched, *changed, *rest]
        return None

    def _unlike(self, permission: str, first: Account | None = None) -> Iterator[Account]:
        """Yield who may do it, of accounts that may do the same only one; ``first`` first."""
        seen = set()
        for account in ([first] if first else []) + list(self.team):
            key = (account.may, account.passkey, account.line, account.branch)
            if permission in account.may and key not in seen:
                seen.add(key)
                yield account

    def _signs(self, account: Account) -> bool:
        return account.passkey or self._voucher(account) is not None

    def _voucher(self, account: Account) -> Account | None:
        """Return who enrols the passkey of ``account``: an approver somewhere, or made one."""
        for other in self.team:
            if other.passkey and other.id != account.id and (VOUCH in other.may or self.boss):
                return other
        return None

    def _vouched(self, account: Account) -> list[PathStep]:
        voucher = None if account.passkey else self._voucher(account)
        if voucher is None:
            return []
        steps = [PathStep("vouch", voucher.id, account.id)]
        if VOUCH not in voucher.may and self.boss is not None:
            giver = f"{NOBODY}1" if voucher.id == self.boss.id else self.boss.id
            steps.insert(0, PathStep("grant", giver, voucher.id, APPROVER))
        return steps

    def _assign(
        self, rules: Sequence[ApprovalRule], author: Account, requester: Account, maker: str
    ) -> list[tuple[ApprovalRule, Account]] | None:
        """Give each seat of the quorum an account of its own, if it can be."""
        seats = [rule for rule in rules for _ in range(rule.count)]
        able = {
            rule: [
                a
                for a in self.team
                if self._counts(a, rule, author, requester)
                and self._stands(a, rule, (author, requester), maker)
            ]
            for rule in rules
        }
        by_person = taken([[account.id for account in able[seat]] for seat in seats])
        if len(by_person) < len(seats):
            return None
        by_id = {account.id: account for account in self.team}
        chosen = sorted((number, who) for who, number in by_person.items())
        return [(seats[number], by_id[who]) for number, who in chosen]

    def _counts(
        self, account: Account, rule: ApprovalRule, author: Account, requester: Account
    ) -> bool:
        return (
            SIGNS_AS.get(rule.role) in account.may
            and not excluded(rule, account.id, requester=requester.id, author=author.id)
            and (not rule.passkey or self._signs(account))
        )

    def _stands(
        self,
        account: Account,
        rule: ApprovalRule,
        parties: Sequence[Account],
        maker: str,
    ) -> bool:
        """Tell whether ``account`` meets a rule's demands on a version whose files ``maker`` put
        there."""
        for demand in rule.demands:
            match demand:
                case "second_line":
                    met = account.line == "second"
                case "other_reporting_line":
                    met = all(_apart(account, party) for party in parties)
                case "not_last_touched":
                    met = account.id != maker
                case _:
                    met = any(EDIT in a.may and a.id != account.id for a in self.team)
            if not met:
                return False
        return True


def _apart(one: Account, other: Account) -> bool:
    if one.id == other.id or one.branch is None or other.branch is None:
        return False
    return one.branch.apart(other.branch)
