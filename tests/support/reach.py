"""Who reaches an environment, found by walking: every state that some people can bring about.

Written beside ``apps.governance.duties`` and sharing nothing with it but the plain organisation:
what somebody may do is asked of ``identity.rules``, as every request does, and whether a release is
approved of ``placet_verify``'s tally, as every node does. Slow, so for small organisations alone.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from apps.governance.duties import Organisation, OrganisationMember
from apps.governance.duties.organisation import DECIDES_AS
from apps.identity.rules import cut, grants_of
from placet.kernel.actor import INSTANCE, Grant, Scope
from placet_verify.permit.quorum import ApprovalRule, tally
from placet_verify.permit.standing import Standing

PROJECT, PLACE = "risk", "production"
HERE, AROUND = Scope(PROJECT, PLACE), Scope(PROJECT)
MADE_UP = 3  # people who do not exist: enough to draft, publish and ask, and for a quorum of two
HIRED_AS = ("contributor", "reviewer", "approver", "admin")
EVERY_SCOPE = frozenset(
    {
        "version.create",
        "version.edit",
        "release.request",
        "policy.draft",
        "release.review",
        "release.approve",
    }
)


@dataclass(frozen=True, slots=True)
class State:
    """Everything that the people who walk have brought about so far."""

    hired: tuple[str, ...] = ()  # the role of each who does not exist
    given: frozenset[tuple[str, str]] = frozenset()  # roles given to people who do
    draft: tuple[str, tuple[ApprovalRule, ...]] | None = None
    rules: tuple[ApprovalRule, ...] | None = None  # published instead of those in force
    release: tuple[str, str, str] | None = None  # author, requester, and who put the files there
    decided: frozenset[tuple[str, str]] = frozenset()  # person and role


class Walk:
    """What ``humans`` can do in an organisation, with ``rules`` in force."""

    def __init__(
        self,
        organisation: Organisation,
        rules: tuple[ApprovalRule, ...],
        humans: Collection[str],
        *,
        pinned: bool = False,
        hire: bool = False,
    ) -> None:
        self.organisation, self.pinned = organisation, pinned
        # a decision without a passkey is refused there, whatever the policy asks for
        self.rules = tuple(replace(r, passkey=r.passkey or pinned) for r in rules)
        self.people = [p for p in organisation.people if p.mailbox in humans]
        self.signed = pinned or any(rule.passkey for rule in rules)
        self.grants = {p.id: self._grants(p.id) if p.active else frozenset() for p in self.people}
        self.past = {
            (done.person, done.permission)
            for done in organisation.past
            if done.project == PROJECT and done.environment in ("", PLACE)
        }
        bosses = [p.id for p in self.people if self._holds(p.id, "access.manage", INSTANCE)]
        self.boss = bosses[0] if hire and bosses else ""

    def _grants(self, person: str) -> frozenset[Grant]:
        """Return what an account may do, by roles of its own, of teams, and by programs' tokens."""
        teams = {t for t, members in self.organisation.teams.items() if person in members}
        programs = {s for s, owner in self.organisation.services.items() if owner == person}

        def of(subjects: Collection[str]) -> frozenset[Grant]:
            return grants_of(
                (b.role, b.project or None, b.environment)
                for b in self.organisation.bindings
                if b.subject in subjects
            )

        return of({person} | teams) | cut(of(programs), scopes=EVERY_SCOPE, project=None)

    def _holds(self, person: str, permission: str, scope: Scope) -> bool:
        return any(
            g.permission == permission and g.scope.covers(scope) for g in self.grants[person]
        )

    def may(self, state: State, who: str, permission: str, scope: Scope = HERE) -> bool:
        """Tell whether ``who`` may do it now, or what they did before has the effect still."""
        if who.startswith("nobody"):
            roles = {state.hired[int(who.removeprefix("nobody"))]}
        else:
            if (who, permission) in self.past or self._holds(who, permission, scope):
                return True
            roles = {role for person, role in state.given if person == who}
        return any(
            g.permission == permission for g in grants_of((role, None, "") for role in roles)
        )

    def accounts(self, state: State) -> list[str]:
        """Return every account that walks."""
        return [p.id for p in self.people] + [f"nobody{n}" for n in range(len(state.hired))]

    def signs(self, state: State, who: str) -> bool:
        """Tell whether ``who`` has a passkey that counts, or somebody who walks vouches for one."""
        enrolled = [p.id for p in self.people if p.passkey and p.active]
        return who in enrolled or any(
            (other, "approver") in state.given
            or any(g.permission == "release.approve" for g in self.grants[other])
            for other in enrolled
        )

    def approved(self, state: State) -> bool:
        """Count the quorum as a node does."""
        if state.release is None:
            return False
        author, requester, _ = state.release
        rules = self.rules if state.rules is None else state.rules
        signers = frozenset(who for who, _ in state.decided if self.signs(state, who))
        counted = tally(
            rules,
            requester=requester,
            author=author,
            approvals=sorted(state.decided),
            passkeys=signers,
            standings={who: self.standing(state, who) for who, _ in state.decided},
        )
        return all(each.met for each in counted)

    def standing(self, state: State, who: str) -> Standing:
        """Return where ``who`` stands towards the release. Whoever decided on it before being
        moved, or does not exist, or is a stranger, stands where it helps."""
        assert state.release is not None
        author, requester, maker = state.release
        known = {p.id: p for p in self.people}
        anywhere = OrganisationMember("", "", line="second", reports_to=())

        def before(person: str) -> bool:
            return bool({(person, "release.review"), (person, "release.approve")} & self.past)

        def place(person: str) -> OrganisationMember:
            return anywhere if before(person) else known.get(person, anywhere)

        def above(person: str) -> tuple[str, ...] | None:
            line = place(person).reports_to
            return line and tuple(f"{one} now" if before(one) else one for one in line)

        declares = [
            other
            for other in self.accounts(state)
            if other != who and self.may(state, other, "version.edit", AROUND)
        ]
        return Standing(
            line=place(who).line,
            reports_to=above(who),
            requester_reports_to=above(requester),
            author_reports_to=above(author),
            touched=(maker,),
            data_owners=() if declares else None,
            code_authors=() if declares else None,
        )

    def following(self, state: State) -> Iterator[State]:
        """Yield what one action of somebody leads to."""
        accounts = self.accounts(state)
        begun = state.draft or state.release or state.rules is not None
        if self.boss and not begun and len(state.hired) < MADE_UP:  # as well first as later
            for role in HIRED_AS:
                yield replace(state, hired=tuple(sorted((*state.hired, role))))
        if self.boss and self.signed:
            for person in self.people:
                if person.passkey and (person.id != self.boss or "admin" in state.hired):
                    yield replace(state, given=state.given | {(person.id, "approver")})
        for who in accounts:
            yield from self._policy(state, who)
            yield from self._requests(state, who, accounts)
            yield from self._decisions(state, who)

    def _policy(self, state: State, who: str) -> Iterator[State]:
        if self.may(state, who, "policy.draft"):
            for lax in self._lax():
                yield replace(state, draft=(who, lax))
        signs = not self.signed or self.signs(state, who)
        if not (signs and self.may(state, who, "policy.publish")):
            return
        if state.draft and state.draft[0] != who:
            yield replace(state, rules=state.draft[1], draft=None, decided=frozenset())

    def _lax(self) -> list[tuple[ApprovalRule, ...]]:
        if not self.pinned:
            return [()]
        return [(ApprovalRule(r, 1, False, False, True),) for r in ("reviewer", "approver")]

    def _requests(self, state: State, who: str, accounts: list[str]) -> Iterator[State]:
        if self.may(state, who, "release.request"):
            for author in accounts:
                if self.may(state, author, "version.create", AROUND):
                    yield replace(state, release=(author, who, author), decided=frozenset())
                if self.may(state, author, "version.edit", AROUND):  # of a stranger's draft
                    release = ("stranger", who, author)
                    yield replace(state, release=release, decided=frozenset())

    def _decisions(self, state: State, who: str) -> Iterator[State]:
        if state.release is None or who in {person for person, _ in state.decided}:
            return
        rules = self.rules if state.rules is None else state.rules
        author, requester, _ = state.release
        for rule in rules:
            permission = DECIDES_AS[rule.role]
            out = {requester} if rule.exclude_requester else set()
            out |= {author} if rule.exclude_author else set()
            if who not in out and self.may(state, who, permission):
                yield replace(state, decided=state.decided | {(who, rule.role)})

    def arrives(self) -> bool:
        """Walk until a release is approved, or nothing new is to be seen."""
        seen, waiting = {State()}, [State()]
        while waiting:
            state = waiting.pop()
            if self.approved(state):
                return True
            for further in self.following(state):
                if further not in seen:
                    seen.add(further)
                    waiting.append(further)
        return False


def fewest_walking(
    organisation: Organisation,
    rules: tuple[ApprovalRule, ...],
    *,
    most: int,
    pinned: bool = False,
    hire: bool = False,
) -> int | None:
    """Return the size of the smallest set of at most ``most`` humans that arrives: try them all."""
    humans = sorted({person.mailbox for person in organisation.people})
    for size in range(1, most + 1):
        for team in combinations(humans, size):
            if Walk(organisation, rules, team, pinned=pinned, hire=hire).arrives():
                return size
    return None
