"""The search for fewer people than the policy demands.

People are not tried one by one. Humans whose accounts may do the same are of one class, and a
handful of roles makes few classes however many people there are: with ``c`` classes, the sets of at
most ``k`` humans that differ at all number C(c + k, k). ``k`` is below what the policy demands, so
one to three as a rule; :data:`SMALL` bounds it. A class is left out when ``k`` or more humans may
do all that its humans may, and more: in every set one of those can stand in (:func:`path` is
monotone). The answer is exact: a set is reported if and only if one of at most ``k`` people exists.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

from apps.governance.duties.organisation import (
    EDIT,
    HIRE,
    MAKE,
    REQUEST,
    Account,
    Branch,
    EnvironmentAccess,
)
from apps.governance.duties.paths import PathStep, by_quorum, demanded, path, ways_of
from placet_verify.permit.quorum import ApprovalRule

SMALL = 4  # sets of more people than this are not looked for: changing the policy takes no more
OUTSIDER = Account(
    "outsider", "outsider", frozenset({MAKE, EDIT, REQUEST}), branch=Branch("outsider")
)
Human = tuple[Account, ...]
HumanKind = tuple[tuple[tuple[str, ...], bool, str, tuple[str, str]], ...]


@dataclass(frozen=True, slots=True)
class ShortestPath:
    """So many humans reach the environment, by these steps."""

    people: int
    steps: tuple[PathStep, ...]


def fewest(access: EnvironmentAccess, *, most: int, hire: bool = False) -> ShortestPath | None:
    """Return a smallest set of at most ``most`` humans who reach ``access``, ``None`` without one.

    With ``hire`` an access admin may add people who do not exist; without it everybody is who they
    seem to be.
    """
    most = min(most, SMALL)
    humans = _humans(access.accounts, hire=hire)
    classes = _useful(_classes(_unlike_branches(list(humans.values()), most), _kind), most)
    for size in range(1, most + 1):
        for team in _teams(classes, size):
            steps = path(_accounts(team), access, hire=hire)
            if steps is not None:
                return ShortestPath(size, steps)
    return None


def opened(before: EnvironmentAccess, after: EnvironmentAccess) -> ShortestPath | None:
    """Return a set of too few humans who reach ``after`` and did not reach ``before``.

    First among people who are who they seem to be; then, where the policy stayed, whether an access
    admin would need fewer accomplices than before.
    """
    most = min(demanded(after.rules) - 1, SMALL)
    if most < 1:
        return None
    return _new_set(before, after, most) or _fewer_hirers(before, after, most)


def opened_by_break_glass(
    before: EnvironmentAccess, after: EnvironmentAccess
) -> ShortestPath | None:
    """Return a set of too few humans who break the glass of ``after`` and did not before.

    Nobody did where the policy let nobody.
    """
    return opened(before.broken_glass, after.broken_glass) if after.glass else None


def locked_out(access: EnvironmentAccess) -> bool:
    """Tell whether everybody together could not get a release past the quorum.

    Where nobody may make or ask for anything yet, as in a new project, somebody who can is thought
    of.
    """
    return not by_quorum(_everybody(access), access)


def ways(access: EnvironmentAccess) -> frozenset[str]:
    """Return the ways by which everybody together has a release approved: by the ``QUORUM``, by
    changing the ``POLICY`` first. As in :func:`locked_out` somebody who makes and asks is thought
    of."""
    return ways_of(_everybody(access), access)


def unmet(access: EnvironmentAccess) -> list[tuple[ApprovalRule, int]]:
    """Return the rules of a place that everybody together could not meet, each with how many people
    could count for it at most. None where each could be met, and only all at once could not."""
    everybody = _everybody(access)

    def most(rule: ApprovalRule) -> int:
        fewer = (replace(rule, count=count) for count in range(rule.count, 0, -1))
        met = (one for one in fewer if by_quorum(everybody, replace(access, rules=(one,))))
        return next((one.count for one in met), 0)

    found = ((rule, most(rule)) for rule in access.rules)
    return [(rule, people) for rule, people in found if people < rule.count]


def _everybody(access: EnvironmentAccess) -> list[Account]:
    everybody = list(access.accounts)
    for permission in (MAKE, REQUEST):
        if not any(permission in account.may for account in everybody):
            everybody.append(OUTSIDER)
    return everybody


def _new_set(before: EnvironmentAccess, after: EnvironmentAccess, most: int) -> ShortestPath | None:
    """Look for a set that the change brought in; one without anybody it touched is as it was."""
    then, now = _humans(before.accounts), _humans(after.accounts)

    def both(human: Human) -> tuple[HumanKind, HumanKind]:
        return _kind(then.get(human[0].human, ())), _kind(human)

    classes = _classes(now.values(), both)
    same_rules = (before.rules, before.pinned) == (after.rules, after.pinned)
    for size in range(1, most + 1):
        for team in _teams(classes, size):
            if same_rules and all(k[0] == k[1] for k in map(both, team)):
                continue
            steps = path(_accounts(team), after)
            if steps and not path(_accounts(then.get(h[0].human, ()) for h in team), before):
                return ShortestPath(size, steps)
    return None


def _fewer_hirers(
    before: EnvironmentAccess, after: EnvironmentAccess, most: int
) -> ShortestPath | None:
    if (before.rules, before.pinned) != (after.rules, after.pinned):
        return None  # two people changed what is demanded, knowing it
    shortest = fewest(after, most=most, hire=True)
    if shortest and fewest(before, most=shortest.people, hire=True) is None:
        return shortest
    return None


def _humans(accounts: Collection[Account], *, hire: bool = False) -> dict[str, Human]:
    """Return the accounts of each human; what only an access admin needs counts with ``hire``."""
    by_human: dict[str, list[Account]] = defaultdict(list)
    for account in accounts:
        if not hire and HIRE in account.may:
            account = replace(account, may=account.may - {HIRE})
        if account.may or account.passkey:
            by_human[account.human].append(account)
    return {human: tuple(held) for human, held in by_human.items()}


def _kind(human: Human) -> HumanKind:
    return tuple(sorted((tuple(sorted(a.may)), a.passkey, a.line, _branch(a)) for a in human))


def _branch(account: Account) -> tuple[str, str]:
    return (account.branch.top, account.branch.head) if account.branch else ("", "")


def _classes(humans: Collection[Human], kind: Callable[[Human], object]) -> list[list[Human]]:
    by_kind: dict[object, list[Human]] = defaultdict(list)
    for human in humans:
        by_kind[kind(human)].append(human)
    return list(by_kind.values())


def _unlike_branches(humans: list[Human], most: int) -> list[Human]:
    """Leave out humans of branches that are like enough others.

    Which branches people are in matters only by whether two are in the same. So of branches below
    one top that have just as many humans of each kind, ``most`` are enough: a set of at most
    ``most`` humans has people of no more, and reaches the same with each exchanged for its like. A
    branch of somebody who has accounts in several is like none.
    """
    held: dict[tuple[str, str], list[Human]] = defaultdict(list)
    mixed: set[tuple[str, str]] = set()
    for human in humans:
        branches = {_branch(account) for account in human}
        mixed |= branches if len(branches) > 1 else set()
        held[min(branches)].append(human)
    seen: Counter[object] = Counter()
    left: list[Human] = []
    for branch, people in held.items():
        top, head = branch
        if head and branch not in mixed:
            like = (top, tuple(sorted(map(_kind_anywhere, people))))
            seen[like] += 1
            if seen[like] > most:
                continue
        left += people
    return left


def _kind_anywhere(human: Human) -> HumanKind:
    return _kind(tuple(replace(account, branch=None) for account in human))


def _useful(classes: list[list[Human]], most: int) -> list[list[Human]]:
    """Leave out the classes that enough others can stand in for."""
    return [
        held
        for held in classes
        if most > sum(len(o) for o in classes if o is not held and _covers(o[0], held[0]))
    ]


def _covers(larger: Human, smaller: Human) -> bool:
    """Tell whether each account of ``smaller`` has one of its own in ``larger`` that may do all it
    may. Accounts are matched in order, so some pairs are missed, which costs only time."""
    left = sorted(larger, key=lambda a: (len(a.may), a.passkey))
    for account in sorted(smaller, key=lambda a: (-len(a.may), a.passkey)):
        able = [a for a in left if _stands_in(a, account)]
        if not able:
            return False
        left.remove(able[0])
    return True


def _stands_in(one: Account, for_: Account) -> bool:
    return (
        one.may >= for_.may
        and one.passkey >= for_.passkey
        and (one.line == for_.line or one.line == "second")
        and one.branch == for_.branch
    )


def _teams(classes: Sequence[Sequence[Human]], size: int) -> Iterator[list[Human]]:
    """Yield sets of ``size`` humans that differ in what their members may do."""
    for chosen in combinations_with_replacement(range(len(classes)), size):
        if all(chosen.count(number) <= len(classes[number]) for number in set(chosen)):
            taken: dict[int, int] = defaultdict(int)
            team = []
            for number in chosen:
                team.append(classes[number][taken[number]])
                taken[number] += 1
            yield team


def _accounts(team: Collection[Human] | Iterator[Human]) -> list[Account]:
    return [account for human in team for account in human]
