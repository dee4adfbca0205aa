"""Who can still lift the requests for changes that hold a release, and how it ends where nobody
can."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, Exists, OuterRef, Q, QuerySet, Value, When

from apps.governance.models import UNFINISHED_STATES, Decision, Release
from apps.governance.queries.people import NamedPerson
from apps.governance.queries.standing import Standings
from apps.governance.queries.still_deciding import (
    deciding_now,
    given_there,
    roles_there,
    still_deciding,
)
from apps.governance.rules import ReleaseState
from apps.identity.models import RoleBinding, User
from apps.identity.queries import name_in, scope_of
from apps.identity.rules.permissions import roles_with
from apps.identity.trust.second_factor import SECOND_FACTOR, may_learn_what_lacks
from placet.kernel.actor import Actor
from placet.kernel.words import a_few
from placet_verify.statements import REQUEST_CHANGES

# what who asked for changes can still do about it: the third once they have a second factor, the
# last nothing, unless they get a role again
DECIDES, WITHDRAWS, NOT_YET, NO_ROLE = "decides", "withdraws", "not_yet", "no_role"
ONE, ALL = "the request for changes", "their requests for changes"
GONE = ("", NO_ROLE)  # who lifts it no more: the first was deactivated


@dataclass(frozen=True, slots=True)
class Lifting:
    """Who asked for changes to a release that stand, by name and what they can still do about it:
    nobody else lifts it. Others can end the release."""

    asked: Sequence[tuple[str, str]] = ()  # DECIDES, …, NO_ROLE or '' (deactivated) beside each
    rejecters: Sequence[str] = ()  # who else can reject it now, by name
    requester: str = ""  # by name, where they can withdraw it
    expires: datetime | None = None
    can_be_rejected: bool = False  # by one of those, or by who decides again

    @property
    def says(self) -> str:
        """Until what the release is held, or who can end it; '' where nothing holds it."""
        return self.for_good or (f"Held until {self.until_it_ends}" if self.asked else "")

    @property
    def until_it_ends(self) -> str:
        """Until what it is held, with how that ends otherwise."""
        ways = ["rejected"] if self.can_be_rejected else []
        ways += ["withdrawn"] if self.requester else []
        ended = f", it is {' or '.join(ways)}" if ways else ""
        return f"{self.until}{ended}, or a newer policy is published"

    @property
    def until(self) -> str:
        """Until what it is held: ``Ann decides again or
        withdraws the request for changes``; '' where nobody can lift
        it now, or nobody asked."""
        if self.for_good:
            return ""
        again, back, later = map(self._who, (DECIDES, WITHDRAWS, NOT_YET))
        one, each = f" withdraws {ONE}", f" withdraw {ALL}"
        said = [_of(again, f" decides again or{one}", f" decide again or{each}")]
        said.append(_of(back, one, each))
        not_yet = f"who needs {SECOND_FACTOR} first"
        said.append(_of(later, f", {not_yet}, lifts that", f", {not_yet}, lift that"))
        return ", and ".join(filter(None, said))

    @property
    def for_good(self) -> str:
        """Who can lift it no more as roles are held now, and how it ends then: sentences, the last
        without its full stop; '' where everybody can."""
        without = self._who(NO_ROLE)
        gone = _of([*without, *self._who("")], " has", " have")
        if not gone:
            return ""
        nobody = "Nobody can lift that request for changes now"
        said = [f"{nobody}: {gone} no access here any more", self._ends]
        if without:
            who = " and ".join(without)
            said.append(f"An access administrator can give {who} a role here again")
        said.append("A newer policy, once published, voids that request and all approvals so far")
        return ". ".join(said)

    @property
    def _ends(self) -> str:
        """Who can end the release, or that nobody can and when it ends by itself."""
        who = f"{self.requester}, who requested it"
        if self.rejecters:
            anew = f", or withdrawn and requested anew by {who}" if self.requester else ""
            return f"The release can be rejected by {a_few(self.rejecters)}{anew}"
        if self.requester:
            anew = f"but {who}, can withdraw it and request it anew"
            return f"Nobody can reject the release now, {anew}"
        when = f" on {self.expires:%Y-%m-%d %H:%M} UTC" if self.expires else ""
        return f"Nobody can reject or withdraw the release now, which expires{when}"

    def _who(self, can: str) -> list[str]:
        return [name for name, able in self.asked if able == can]


def _of(names: Sequence[str], one: str, several: str) -> str:
    said = one if len(names) == 1 else several
    return f"{' and '.join(names)}{said}" if names else ""


def lifts(*, without: str = "") -> Case:
    """Return the expression for what the person of a standing request for changes can still do
    about it: decide again with a role that decides there, take it back as long as they see the
    release, either once they have the second factor that their roles wait for, or nothing before
    they get a role there again; '' of who was deactivated, and of other decisions. ``without`` is
    the id of a role that does not count."""
    by_role = (given_there(without=without), WITHDRAWS), (roles_there(without=without), NOT_YET)
    return _lifts(deciding_now(without=without), *by_role)


def _once_with_factor() -> Case:
    """Return the expression for what :func:`lifts` says once they have a second factor: to who may
    not know that they lack one, this is told."""
    return _lifts(still_deciding(), (roles_there(), WITHDRAWS))


def _lifts(decides: Q, *seeing: tuple[QuerySet[RoleBinding], str]) -> Case:
    """Return what they can do who ``decides`` there, else who sees the release by such roles."""
    sees = Q(role__in=roles_with("release.view"))
    active = Exists(User.objects.filter(pk=OuterRef("person"), is_active=True))
    return Case(
        When(~Q(verdict=REQUEST_CHANGES) | ~active, then=Value("")),
        When(decides, then=Value(DECIDES)),
        *(When(Exists(roles.filter(sees)), then=Value(can)) for roles, can in seeing),
        default=Value(NO_ROLE),
    )


def with_lifting(decisions: QuerySet[Decision]) -> QuerySet[Decision, Any]:
    """Have each request for changes bring what its person can still do about it (:func:`lifts`),
    and could with a second factor (``lifts_once_with_factor``), and the name of who requested the
    release, where they can withdraw that (``withdrawer``)."""
    requester = "release__requester"
    there = Exists(User.objects.filter(pk=OuterRef(requester), is_active=True))
    takes = given_there(requester).filter(role__in=roles_with("release.withdraw"))
    withdraws = When(Q(there, Exists(takes), verdict=REQUEST_CHANGES), then=name_in(requester))
    return decisions.annotate(
        lifts=lifts(),
        lifts_once_with_factor=_once_with_factor(),
        withdrawer=Case(withdraws, default=Value(""), output_field=CharField()),
    )


def lifting_of(
    release: Release,
    standing: Sequence[Any],
    people: Iterable[NamedPerson],
    results: Sequence[Mapping[str, Any]],
    known: Standings,
    names: Mapping[str, str],
    actor: Actor,
) -> Lifting:
    """Return who can lift the requests for changes among the ``standing`` decisions on a release,
    which were read :func:`with_lifting`, or end it: of ``people``, who hold a role that decides on
    it, who can reject it. ``results`` are those of its gates. ``actor`` reads it, who may not know
    who lacks a second factor. Nothing holds one that is over."""
    asking = [one for one in standing if one.verdict == REQUEST_CHANGES]
    if not asking or release.state not in UNFINISHED_STATES:
        return Lifting()
    asked = [(names.get(one.person, one.person), _told(one, release, actor)) for one in asking]
    decided = {one.person for one in standing}
    left = [person for person in people if person.id not in decided]
    rejecters = _able_to_reject(release, left, results, known)
    again = release.state == ReleaseState.REQUESTED and any(can == DECIDES for _, can in asked)
    rejectable = bool(rejecters) or again
    return Lifting(asked, rejecters, asking[0].withdrawer, release.not_after, rejectable)


def _told(decision: Any, release: Release, actor: Actor) -> str:
    knows = may_learn_what_lacks(decision.person, actor, scope_of(release))
    return str(decision.lifts if knows else decision.lifts_once_with_factor)


def _able_to_reject(
    release: Release,
    people: Iterable[NamedPerson],
    results: Sequence[Mapping[str, Any]],
    known: Standings,
) -> list[str]:
    if release.state != ReleaseState.REQUESTED:
        return []
    policy, found = release.policy.approvals, list[str]()
    for person in people:
        held = set(person.roles) - set(person.withheld)
        role = known.decider(release, person.id).role(held, results)
        signs = person.has_passkey or not policy.passkey(role)
        if role and signs and not person.absence:
            found.append(person.name)
    return found
