"""What a bystander knows who saw every move that the platform let through, and nothing else.

They read no table: who holds a role they know from what was granted, what was approved from what
was decided before their eyes. They count a quorum by trying every way to place people, not as the
product does.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from placet_verify.statements import BreakGlassStatement, DecisionStatement

Place = str  # the name of an environment, '' for all of the project


@dataclass(frozen=True)
class Demand:
    """So many people with one role; by default neither who asked nor who made the version."""

    role: str
    count: int = 1
    exclude_requester: bool = True
    exclude_author: bool = True

    def yaml(self) -> str:
        """Return the gate that says it."""
        flags = "".join(
            f", {name}: false"
            for name in ("exclude_requester", "exclude_author")
            if not getattr(self, name)
        )
        return f"  - {{gate: approvals, role: {self.role}, count: {self.count}{flags}}}\n"


@dataclass(frozen=True)
class Glass:
    """So few people, a responder and approvers, may start a release in an emergency."""

    people: int = 2

    def yaml(self) -> str:
        """Return what a policy says of it, behind its gates."""
        return f"break_glass: {{people: {self.people}}}\n"


Demands = tuple[Demand | Glass, ...]


@dataclass(frozen=True)
class Asked:
    """What somebody asked for: a Bento, in an environment."""

    environment: str
    bento: str
    requester: str
    author: str


@dataclass
class Request:
    """One signed request and who assented to exactly it, each in one role."""

    release: str
    policy: int
    assents: list[tuple[str, str]] = field(default_factory=list)
    held: set[str] = field(default_factory=set)  # by whose requests for changes


@dataclass
class Broken:
    """One opened break-glass: who opened it as responder, and who confirmed it as approver."""

    release: str
    policy: int
    opener: str
    confirmers: set[str] = field(default_factory=set)
    over: bool = False  # ended: what it was to start is not started any more


@dataclass
class Oracle:
    """See the module. People and releases are named by their ids, teams by theirs."""

    roles: dict[str, set[tuple[str, Place]]] = field(default_factory=lambda: defaultdict(set))
    members: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    away: set[str] = field(default_factory=set)
    policies: dict[str, dict[int, Demands]] = field(default_factory=lambda: defaultdict(dict))
    asked: dict[str, Asked] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)  # withdrawn or rejected
    recalled: set[str] = field(default_factory=set)  # Bentos
    requests: dict[str, Request] = field(default_factory=dict)  # by the statement's digest
    glasses: dict[str, Broken] = field(default_factory=dict)  # by the digest of what opened it

    def holds(self, person: str, role: str, environment: str) -> bool:
        """Tell whether somebody has a role there, directly or by a team they are in."""
        subjects = [person, *(team for team, people in self.members.items() if person in people)]
        held = set().union(*(self.roles[subject] for subject in subjects))
        return person not in self.away and bool({(role, environment), (role, "")} & held)

    def published(self, environment: str, number: int, demands: Demands) -> None:
        """A policy came into force: what was decided under the former ones is void."""
        self.policies[environment][number] = demands

    def in_force(self, environment: str) -> int:
        """Return the number of the policy in force."""
        return max(self.policies[environment])

    def decided(self, said: DecisionStatement) -> None:
        """Somebody's decision was taken: they must be able to make it, on what was asked for."""
        self.signed(said)
        if said.verdict == "reject":
            self.over.add(said.release)
            return
        request = Request(said.release, said.policy_number)
        request = self.requests.setdefault(said.request_digest, request)
        request.held.discard(said.person)
        if said.verdict == "request_changes":
            request.held.add(said.person)
        else:
            request.assents.append((said.person, said.role))

    def signed(self, said: DecisionStatement) -> None:
        """Somebody signed for a release: they may, and it is what was asked for."""
        asked = self.asked[said.release]
        assert self.holds(said.person, said.role, asked.environment), f"is no {said.role}"
        assert (said.environment, said.bento_digest) == (asked.environment, asked.bento)
        assert (said.requester, said.author) == (asked.requester, asked.author)

    def broke(self, said: BreakGlassStatement) -> None:
        """Somebody opened a break-glass, or confirmed one."""
        self.signed(said)
        if not said.opening:
            assert said.role == "responder"
            self.glasses[said.digest] = Broken(said.release, said.policy_number, said.person)
            return
        glass = self.glasses[said.opening]
        assert (said.role, said.release) == ("approver", glass.release)
        glass.confirmers.add(said.person)

    def broken(self, glass: Broken) -> bool:
        """Tell whether so many took part as the policy asks for, each with a part of their own."""
        asked = self.asked[glass.release]
        said = self.policies[asked.environment].get(glass.policy, ())
        counted = glass.confirmers - {glass.opener, asked.requester, asked.author}
        return any(isinstance(d, Glass) and 1 + len(counted) >= d.people for d in said)

    def quorum(self, request: Request) -> bool:
        """Tell whether those who assented are who the request's policy asks for."""
        asked = self.asked[request.release]
        demands = self.policies[asked.environment].get(request.policy)
        return demands is not None and enough(demands, asked, request.assents)

    def good_now(self, release: str) -> bool:
        """Tell whether a rollout of ``release`` may start at this moment."""
        environment = self.asked[release].environment
        newest = self.in_force(environment)
        if release in self.over or self.asked[release].bento in self.recalled:
            return False
        requests = [r for r in self.requests.values() if r.release == release]
        if any(r.held and r.policy == newest for r in requests):
            return False
        if enough(self.policies[environment][newest], self.asked[release], ()):
            return True
        return any(r.policy == newest and self.quorum(r) for r in requests) or any(
            g.release == release and g.policy == newest and not g.over and self.broken(g)
            for g in self.glasses.values()
        )

    def good_once(self, release: str, bento: str, floor: int) -> int | None:
        """Return the newest policy, not below ``floor``, under which a quorum of people assented to
        ``bento`` in ``release``, or broke the glass for it; ``None`` when there is none."""
        asked = self.asked.get(release)
        if asked is None or asked.bento != bento:
            return None
        known = self.policies[asked.environment]
        free = [n for n, demands in known.items() if enough(demands, asked, ())]
        met = [r.policy for r in self.requests.values() if r.release == release and self.quorum(r)]
        met += [g.policy for g in self.glasses.values() if g.release == release and self.broken(g)]
        return max((n for n in (*free, *met) if n >= floor), default=None)


def enough(demands: Demands, asked: Asked, assents: Iterable[tuple[str, str]]) -> bool:
    """Tell whether each demand's places can be filled with a person of its own."""
    places = [d for d in demands if isinstance(d, Demand) for _ in range(d.count)]
    return any(
        len({person for person, _ in chosen}) == len(places)
        and all(fits(place, asked, *one) for place, one in zip(places, chosen, strict=True))
        for chosen in itertools.permutations(assents, len(places))
    )


def fits(demand: Demand, asked: Asked, person: str, role: str) -> bool:
    """Tell whether one assent counts for one place."""
    return (
        role == demand.role
        and not (demand.exclude_requester and person == asked.requester)
        and not (demand.exclude_author and person == asked.author)
    )
