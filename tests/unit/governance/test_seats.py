"""A person decides once, so each takes one seat of a quorum: where that is too few it is said."""

import pytest

from apps.governance.seats import Seat, Shortage, shortages, taken

NAMES = {"o": "Olga", "p": "Pia", "q": "Quinn"}


def seats(text: str) -> list[Seat]:
    """Return seats as ``role:people``, each person a letter."""
    both = (one.split(":") for one in text.split())
    return [Seat(role, tuple(people)) for role, people in both]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("product:o approver:op", []),
        ("product:op approver:o", []),
        ("product:o security:op approver:pq", []),
        (
            "product:o approver:o",
            [
                "Needs two people, and only Olga could decide as approver or product: an access "
                "administrator gives one of these roles to somebody else"
            ],
        ),
        (
            "product:op security:op approver:op",
            [
                "Needs three people, and only Olga and Pia could decide as approver or product or "
                "security: an access administrator gives one of these roles to somebody else"
            ],
        ),
        (
            "product:o product:o product:o",
            [
                "Needs three people, and only Olga could decide as product: an access "
                "administrator gives this role to two more people"
            ],
        ),
        (
            "product: approver:o approver:o security:q",
            [
                "Needs one person, and nobody could decide as product: an access administrator "
                "gives this role to somebody",
                "Needs two people, and only Olga could decide as approver: an access "
                "administrator gives this role to somebody else",
            ],
        ),
        (
            "product: product:",
            [
                "Needs two people, and nobody could decide as product: an access administrator "
                "gives this role to two people"
            ],
        ),
    ],
)
def test_too_few_people_for_some_seats_are_named(asked: str, said: list[str]) -> None:
    assert [short.said(NAMES) for short in shortages(seats(asked))] == said


def test_seats_that_share_their_people_are_one_shortage_and_others_are_in_none() -> None:
    found = shortages(seats("a:o b:op c:op b:op d:q"))
    assert found == [Shortage(("a", "b", "c"), 4, ("o", "p"))]


def test_as_many_seats_are_taken_as_can_be() -> None:
    assert taken(["op", "o", "pq"]) == {"p": 0, "o": 1, "q": 2}
    assert len(taken(["op", "op", "op"])) == 2


def test_of_many_people_the_first_are_named() -> None:
    many = {f"p{n:02}": f"P{n}" for n in range(11)}
    said = Shortage(("approver",), 12, tuple(many)).said(many)
    assert "only P0, P1, P2, P3, P4, P5, P6, P7 and 3 more could decide" in said


def test_who_does_not_count_for_any_of_the_seats_is_not_to_be_given_the_role() -> None:
    both = [Seat("approver", (), ("requester", "author")), Seat("approver", (), ("author",))]
    (short,) = shortages(both)
    assert short.excluded == ("author", "requester")
    assert short.said({}).endswith(
        "to two people, not to who requests the release or made its version"
    )
    (short,) = shortages(both[1:])
    assert short.said({}).endswith("to somebody, not to who made its version")
