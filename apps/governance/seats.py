"""The seats of a quorum, and who could take them: a person decides once, and so takes one. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.governance.gates.approvals import people as in_words

NAMED = 8  # people by name, then how many more
SOMEBODY = "somebody"
# whose approval does not count for a seat, whatever role they hold: who they are, in words
PARTIES = {"requester": "requests the release", "author": "made its version"}


def excluded_by(gates: Collection[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return whose approval does not count for one of the ``gates`` of a policy that ask people."""
    return tuple(who for who in PARTIES if any(g.get(f"exclude_{who}", True) for g in gates))


@dataclass(frozen=True, slots=True)
class Seat:
    """An approval that somebody is to give as ``role``, and by id who could. It is none that the
    ``excluded`` of :data:`PARTIES` could give."""

    role: str
    able: tuple[str, ...]
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shortage:
    """Seats that the people who could take one of them are too few for."""

    roles: tuple[str, ...]
    seats: int
    people: tuple[str, ...]
    excluded: tuple[str, ...] = ()  # from any of the seats

    def said(self, names: Mapping[str, str]) -> str:
        """Say how many people are needed, who alone could decide, and who mends that."""
        needs = f"{in_words(self.seats)} {'person' if self.seats == 1 else 'people'}"
        more = self.seats - len(self.people)
        others = _takers(more, bool(self.people))
        one_of = "one of these roles" if more == 1 else "these roles"
        give = "this role" if len(self.roles) == 1 else one_of
        who = f"only {_listed([names[one] for one in self.people])}" if self.people else "nobody"
        roles = " or ".join(self.roles)
        parties = " or ".join(said for who, said in PARTIES.items() if who in self.excluded)
        but = f", not to who {parties}" if parties else ""
        gives = f"an access administrator gives {give} to {others}{but}"
        return f"Needs {needs}, and {who} could decide as {roles}: {gives}"


def takers(missing: int, there: bool) -> str:
    """Return to whom a role is to be given that ``missing`` people are still to hold, in no number:
    unless some are ``there`` who hold it, nobody is *more*."""
    if there:
        return "more people"
    return SOMEBODY if missing == 1 else "people"


def counting(whom: str, what: str = "it") -> str:
    """Return the same, of whom it is asked that they count for ``what`` they decide on."""
    return f"{whom} who {'counts' if whom == SOMEBODY else 'count'} for {what}"


def _takers(missing: int, there: bool) -> str:
    """Return :func:`takers` with how many."""
    if missing == 1:
        return "somebody else" if there else SOMEBODY
    return f"{in_words(missing)} {takers(missing, there)}"


def _listed(names: Sequence[str]) -> str:
    if len(names) > NAMED:
        names = [*names[:NAMED], f"{len(names) - NAMED} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def taken(able: Sequence[Collection[str]]) -> dict[str, int]:
    """Return by person which seat they take, where as many are taken as can be (augmenting paths);
    ``able`` says of each seat who could."""
    by_person: dict[str, int] = {}

    def take(seat: int, tried: set[str]) -> bool:
        for person in able[seat]:
            if person not in tried:
                tried.add(person)
                if person not in by_person or take(by_person[person], tried):
                    by_person[person] = seat
                    return True
        return False

    for seat in range(len(able)):
        take(seat, set())
    return by_person


def shortages(seats: Sequence[Seat]) -> list[Shortage]:
    """Return for which seats there are too few people: none where each has somebody of its own.

    Of seats that want the same people, or have the same role, one is told.
    """
    by_person = taken([seat.able for seat in seats])
    found: list[tuple[set[int], set[str]]] = []
    for empty in sorted(set(range(len(seats))) - set(by_person.values())):
        wanting, wanted = _around(empty, seats, by_person)
        roles = {seats[one].role for one in wanting}
        for like in [row for row in found if row[1] & wanted or _roles(row[0], seats) & roles]:
            found.remove(like)
            wanting, wanted = wanting | like[0], wanted | like[1]
        found.append((wanting, wanted))
    return [
        Shortage(
            tuple(sorted(_roles(wanting, seats))),
            len(wanting),
            tuple(sorted(wanted)),
            tuple(sorted({who for one in wanting for who in seats[one].excluded})),
        )
        for wanting, wanted in found
    ]


def _roles(wanting: Collection[int], seats: Sequence[Seat]) -> set[str]:
    return {seats[one].role for one in wanting}


def _around(
    empty: int, seats: Sequence[Seat], by_person: Mapping[str, int]
) -> tuple[set[int], set[str]]:
    """Return the seats that an empty one shares its people with, however far, and these people.

    Each of them has one of these seats: were one free, the empty seat would have been taken.
    """
    wanting, wanted, left = {empty}, set[str](), [empty]
    while left:
        for person in seats[left.pop()].able:
            if person not in wanted:
                wanted.add(person)
                wanting.add(by_person[person])
                left.append(by_person[person])
    return wanting, wanted
