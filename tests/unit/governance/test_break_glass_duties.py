"""How few people could break a glass, and that this is never taken for the regular way."""

import random
from itertools import combinations
from typing import Any

import pytest

from apps.governance import duties
from apps.governance.duties import (
    Binding,
    EnvironmentAccess,
    Organisation,
    OrganisationMember,
    PastAct,
    environment_access,
    sentences,
)
from apps.governance.duties.paths import path
from placet_verify.permit.break_glass import break_glass_rule
from placet_verify.permit.quorum import ApprovalRule
from tests.support.organisations import ONE_SIGNS, TWO_DECIDE

NAMES = {"ada": "Ada", "rob": "Rob", "vera": "Vera", "vito": "Vito", "ann": "Ann"}
USUAL = (
    Binding("contributor", "ada", "risk"),
    Binding("responder", "rob", "risk"),
    Binding("approver", "vera", "risk"),
    Binding("approver", "vito", "risk"),
)


def glass(
    people: int = 2, *, passkey: bool = False
) -> tuple[duties.organisation.ApprovalRule, ...]:
    said = {"break_glass": {"people": people, "passkey": passkey}, "gates": []}
    rule = break_glass_rule(said)
    assert rule is not None
    return rule.rules


def around(
    *more: Binding,
    people: tuple[OrganisationMember, ...] = tuple(
        OrganisationMember(n, f"{n}@example.com") for n in NAMES
    ),
    rules: tuple[ApprovalRule, ...] = TWO_DECIDE,
    said: tuple[ApprovalRule, ...] = (),
    **others: Any,
) -> EnvironmentAccess:
    """Return production of ``risk`` with ``people``, who hold their usual roles and ``more``."""
    organisation = Organisation(people, (*USUAL, *more), **others)
    return environment_access(organisation, "risk", "production", rules, glass=said or glass())


def test_two_break_the_glass_where_three_are_needed_otherwise() -> None:
    access = around(Binding("reviewer", "ann", "risk"))
    regular, broken = (duties.fewest(p, most=3) for p in (access, access.broken_glass))
    assert (regular and regular.people, broken and broken.people) == (3, 3)
    access = around(Binding("reviewer", "ann", "risk"), Binding("responder", "ada", "risk"))
    broken = duties.fewest(access.broken_glass, most=2)
    assert broken is not None
    assert sentences(broken.steps, NAMES, "production") == [
        "Ada creates a version and requests its release",
        "Ada starts an emergency release, with a reason",
        "Vera co-signs it as approver",
    ]
    assert duties.demanded(access.broken_glass.rules) == 2


def test_a_policy_without_it_lets_nobody() -> None:
    organisation = Organisation(
        tuple(OrganisationMember(n, f"{n}@example.com") for n in NAMES), USUAL
    )
    access = environment_access(organisation, "risk", "production", TWO_DECIDE)
    assert duties.fewest(access.broken_glass, most=4) is None
    assert duties.opened_by_break_glass(access, access) is None


def test_one_human_with_two_accounts_is_one_too_few() -> None:
    people = (
        OrganisationMember("ada", "ada@example.com"),
        OrganisationMember("rob", "ada@example.com"),
        OrganisationMember("vera", "ada@example.com"),
    )
    access = around(people=people)
    found = duties.fewest(access.broken_glass, most=2)
    assert found is not None and found.people == 1


def test_what_makes_one_enough_is_found_when_it_comes() -> None:
    apart = tuple(OrganisationMember(n, f"{n}@example.com") for n in NAMES)
    shared = (*apart[1:], OrganisationMember("ada", "rob@example.com"))
    before = around(Binding("contributor", "rob", "risk"), people=shared)
    after = around(
        Binding("contributor", "rob", "risk"), Binding("approver", "ada", "risk"), people=shared
    )
    found = duties.opened_by_break_glass(before, after)
    assert found is not None and found.people == 1
    assert duties.opened_by_break_glass(after, after) is None
    assert duties.opened_by_break_glass(before, before) is None


def test_a_policy_that_would_let_one_break_it_is_found() -> None:
    people = tuple(OrganisationMember(n, "ada@example.com") for n in ("ada", "rob", "vera"))
    organisation = Organisation(people, USUAL)
    before = environment_access(organisation, "risk", "production", TWO_DECIDE)
    after = environment_access(organisation, "risk", "production", TWO_DECIDE, glass=glass())
    assert duties.opened_by_break_glass(before, after) is not None


def test_three_where_three_are_demanded() -> None:
    access = around(Binding("responder", "ada", "risk"), said=glass(3))
    found = duties.fewest(access.broken_glass, most=3)
    assert found is not None and found.people == 3


def test_with_passkeys_only_those_who_sign_or_are_vouched_for() -> None:
    people = tuple(OrganisationMember(n, f"{n}@example.com", passkey=n == "rob") for n in NAMES)
    access = around(people=people, rules=ONE_SIGNS, said=glass(passkey=True))
    assert duties.fewest(access.broken_glass, most=3) is None
    signing = tuple(
        OrganisationMember(n, f"{n}@example.com", passkey=n in ("rob", "vera")) for n in NAMES
    )
    access = around(people=signing, rules=ONE_SIGNS, said=glass(passkey=True))
    found = duties.fewest(access.broken_glass, most=3)
    assert found is not None and found.people == 3


def test_a_role_that_a_program_holds_opens_nothing() -> None:
    access = around(
        Binding("responder", "bot", "risk"),
        services={"bot": "ada"},
        people=tuple(OrganisationMember(n, f"{n}@example.com") for n in ("ada", "vera")),
    )
    assert duties.fewest(access.broken_glass, most=3) is None


def test_what_was_opened_before_counts_though_the_role_is_gone() -> None:
    done = PastAct("ada", duties.GLASS, "risk", "production")
    access = around(past=(done,))
    found = duties.fewest(access.broken_glass, most=2)
    assert found is not None and found.people == 2


@pytest.mark.parametrize("seed", range(300))
def test_it_finds_what_trying_everybody_finds(seed: int) -> None:
    """The smallest set of people, against trying every set of a small organisation."""
    rng = random.Random(seed)
    roles = ("contributor", "reviewer", "approver", "responder", "operator")
    people = tuple(
        OrganisationMember(f"p{n}", f"p{rng.randrange(5)}@example.com") for n in range(5)
    )
    given = tuple(
        Binding(rng.choice(roles), f"p{rng.randrange(5)}", "risk") for _ in range(rng.randrange(8))
    )
    said = glass(rng.choice((2, 2, 3)))
    access = environment_access(
        Organisation(people, given), "risk", "production", TWO_DECIDE, glass=said
    )
    broken = access.broken_glass
    humans = sorted({account.human for account in broken.accounts})
    tried = next(
        (
            size
            for size in range(1, len(humans) + 1)
            for team in combinations(humans, size)
            if path([a for a in broken.accounts if a.human in team], broken)
        ),
        None,
    )
    found = duties.fewest(broken, most=4)
    assert (found and found.people) == (tried if tried and tried <= 4 else None)
