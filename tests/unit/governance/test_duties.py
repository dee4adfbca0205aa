"""How few people could get a release approved: what counts as a way, and what does not."""

import pytest

from apps.governance import duties
from apps.governance.duties import (
    Account,
    Binding,
    EnvironmentAccess,
    Organisation,
    OrganisationMember,
    PastAct,
    PathStep,
    demanded,
    environment_access,
    fewest,
    locked_out,
    mailbox,
    opened,
    sentences,
    unmet,
)
from placet_verify.permit.quorum import ApprovalRule
from tests.support.organisations import ONE_SIGNS, TWO_DECIDE

ONE = (ApprovalRule("approver", 1),)
NAMES = {"ada": "Ada", "vera": "Vera", "vito": "Vito", "ann": "Ann", "rex": "Rex"}


def around(
    rules: tuple[ApprovalRule, ...], *bindings: Binding, **more: object
) -> EnvironmentAccess:
    """Return production of ``risk`` with Ada, Rex, Vera, Vito and Ann, who hold ``bindings``."""
    people = tuple(OrganisationMember(name, f"{name}@example.com") for name in NAMES)
    organisation = Organisation(**{"people": people, "bindings": bindings, **more})  # type: ignore[arg-type]
    return environment_access(organisation, "risk", "production", rules)


def usual(*more: Binding) -> tuple[Binding, ...]:
    """Everybody in their place: Ada asks, Rex reviews, Vera and Vito approve."""
    return (
        Binding("contributor", "ada", "risk"),
        Binding("reviewer", "rex", "risk"),
        Binding("approver", "vera", "risk"),
        Binding("approver", "vito", "", ""),
        *more,
    )


@pytest.mark.parametrize(
    ("rules", "people"),
    [
        ((), 1),
        (ONE, 2),
        (TWO_DECIDE, 3),
        ((ApprovalRule("approver", 3),), 4),
        ((ApprovalRule("approver", 1, exclude_requester=False, exclude_author=False),), 1),
        ((ApprovalRule("approver", 1, exclude_requester=False),), 2),
        ((ApprovalRule("approver", 2, False, False), ApprovalRule("reviewer", 1)), 3),
    ],
)
def test_a_policy_demands_so_many_people(rules: tuple[ApprovalRule, ...], people: int) -> None:
    assert demanded(rules) == people


def test_where_everybody_has_one_duty_nobody_gets_around_another() -> None:
    access = around(TWO_DECIDE, *usual())
    assert fewest(access, most=2) is None
    found = fewest(around(TWO_DECIDE, *usual()[:3]), most=3)  # without Vito
    assert found is not None and found.people == 3
    assert sentences(found.steps, NAMES, "production") == [
        "Ada creates a version and requests its release",
        "Rex approves it as reviewer",
        "Vera approves it as approver",
    ]


def test_who_asks_and_drafts_needs_one_who_publishes() -> None:
    found = fewest(around(TWO_DECIDE, *usual(Binding("operator", "ada", "risk"))), most=2)
    assert found is not None
    assert sentences(found.steps, NAMES, "production") == [
        "Ada drafts a policy for production that requires almost nobody",
        "Vera publishes that policy",
        "Ada creates a version and requests its release",
    ]


def test_nobody_publishes_what_they_drafted_themselves() -> None:
    access = around(TWO_DECIDE, *usual(Binding("contributor", "vera", "risk")))
    assert fewest(access, most=1) is None


def test_two_accounts_with_one_mailbox_are_one_person() -> None:
    people = (
        OrganisationMember("ada", mailbox("ada@example.com")),
        OrganisationMember("ada2", mailbox("Ada+approves@Example.com")),
    )
    bindings = (Binding("contributor", "ada", "risk"), Binding("approver", "ada2", "risk"))
    found = fewest(around(ONE, *bindings, people=people), most=1)
    assert found is not None and found.people == 1


def test_a_switched_off_account_does_nothing() -> None:
    people = (
        OrganisationMember("ada", "a@example.com"),
        OrganisationMember("ada2", "a@example.com", active=False),
    )
    bindings = (Binding("contributor", "ada", "risk"), Binding("approver", "ada2", "risk"))
    assert fewest(around(ONE, *bindings, people=people), most=2) is None


def test_a_program_asks_and_drafts_for_its_owner_and_decides_for_nobody() -> None:
    services = {"bot": "vera"}
    asks = around(
        ONE,
        Binding("approver", "vera", "risk"),
        Binding("contributor", "bot", "risk"),
        services=services,
    )
    assert fewest(asks, most=1) is None  # Vera counts as the requester
    decides = around(
        ONE,
        Binding("contributor", "ada", "risk"),
        Binding("approver", "bot", "risk"),
        services=services,
    )
    assert fewest(decides, most=2) is None
    drafts = around(TWO_DECIDE, *usual(Binding("operator", "bot", "risk")), services={"bot": "ada"})
    assert fewest(drafts, most=2) is not None


def test_a_role_in_another_project_or_environment_is_no_way() -> None:
    access = around(
        TWO_DECIDE,
        *usual(Binding("operator", "ada", "fraud"), Binding("operator", "ada", "risk", "staging")),
    )
    assert fewest(access, most=2) is None


def test_what_was_done_before_counts_for_who_may_do_it_no_longer() -> None:
    past = (PastAct("ada", "policy.draft", "risk", "production"),)
    assert fewest(around(TWO_DECIDE, *usual(), past=past), most=2) is not None
    elsewhere = (PastAct("ada", "policy.draft", "risk", "staging"),)
    assert fewest(around(TWO_DECIDE, *usual(), past=elsewhere), most=2) is None


def test_where_only_the_author_is_left_out_files_go_into_the_draft_of_another() -> None:
    rules = (ApprovalRule("approver", 1, exclude_requester=False),)
    both = (Binding("contributor", "ada", "risk"), Binding("approver", "ada", "risk"))
    found = fewest(around(rules, *both), most=1)
    assert found is not None
    assert sentences(found.steps, NAMES, "production") == [
        "Ada uploads files to a draft that someone else created",
        "Ada requests its release to production",
        "Ada approves it as approver",
    ]


def test_a_superuser_is_nobody() -> None:
    people = tuple(OrganisationMember(name, f"{name}@x.org") for name in NAMES)
    flagged = tuple(OrganisationMember(p.id, p.mailbox, superuser=True) for p in people)
    assert around((), people=flagged).accounts == ()
    for bindings in ((), usual(), usual(Binding("operator", "ada", "risk"))):
        assert around(TWO_DECIDE, *bindings, people=people) == around(
            TWO_DECIDE, *bindings, people=flagged
        )


def test_an_access_admin_alone_suffices_where_nobody_signs_with_a_passkey() -> None:
    access = around(TWO_DECIDE, *usual(Binding("admin", "ann")))
    assert fewest(access, most=2) is None  # everybody being who they seem to be
    found = fewest(access, most=2, hire=True)
    assert found is not None and found.people == 1
    told = sentences(found.steps, NAMES, "production")
    assert told[0] == (
        "Ann adds a fake account (“made up 1”), signs in with it first, and makes it contributor"
    )
    assert len(told) == 6


def test_with_passkeys_the_admin_needs_an_approver_who_vouches() -> None:
    people = tuple(OrganisationMember(n, f"{n}@x.org", passkey=n == "vera") for n in NAMES)
    access = around(ONE_SIGNS, *usual(Binding("admin", "ann")), people=people)
    assert fewest(access, most=1, hire=True) is None
    found = fewest(access, most=2, hire=True)
    assert found is not None and found.people == 2
    assert (
        opened(around(TWO_DECIDE, *usual()), access) is None
    )  # by what is demanded, not by access
    signing = around(
        ONE_SIGNS, *usual(Binding("admin", "ann"), Binding("admin", "vera")), people=people
    )
    alone = fewest(signing, most=1, hire=True)
    assert alone is not None and alone.steps == (
        PathStep("hire", "vera", "made up 1", "contributor"),
        PathStep("make", "made up 1"),
        PathStep("request", "made up 1"),
        PathStep("approve", "vera", role="approver"),
    )


def test_an_admin_of_one_project_adds_nobody() -> None:
    access = around(TWO_DECIDE, *usual(Binding("admin", "ann", "risk")))
    assert fewest(access, most=2, hire=True) is None


def test_a_change_is_blamed_for_what_it_opens_and_for_nothing_else() -> None:
    before = around(TWO_DECIDE, *usual())
    worse = around(TWO_DECIDE, *usual(Binding("operator", "ada", "risk")))
    found = opened(before, worse)
    assert found is not None and found.people == 2
    assert opened(worse, worse) is None
    assert opened(worse, before) is None
    harmless = around(
        TWO_DECIDE, *usual(Binding("operator", "ada", "risk"), Binding("viewer", "rex", "risk"))
    )
    assert opened(worse, harmless) is None
    another = around(
        TWO_DECIDE, *usual(Binding("operator", "ada", "risk"), Binding("approver", "ann", "risk"))
    )
    assert opened(worse, another) is not None  # one more with whom Ada can


def test_a_stricter_policy_is_blamed_for_nothing() -> None:
    bindings = usual(Binding("operator", "ada", "risk"))
    assert opened(around(ONE, *bindings), around(TWO_DECIDE, *bindings)) is None


def test_a_second_access_admin_is_no_news_and_one_who_vouches_is() -> None:
    first = usual(Binding("admin", "ann"))
    assert (
        opened(around(TWO_DECIDE, *first), around(TWO_DECIDE, *first, Binding("admin", "rex")))
        is None
    )
    people = tuple(OrganisationMember(n, f"{n}@x.org", passkey=n == "vera") for n in NAMES)
    before = around(ONE_SIGNS, *first, people=people)
    after = around(ONE_SIGNS, *first, Binding("admin", "vera"), people=people)
    found = opened(before, after)
    assert found is not None and found.people == 1


def test_a_policy_that_asks_for_more_people_than_there_are_locks_everybody_out() -> None:
    assert not locked_out(around(TWO_DECIDE, *usual()))
    assert locked_out(around((ApprovalRule("reviewer", 2),), *usual()))
    assert locked_out(around(ONE_SIGNS, *usual()))  # nobody has a passkey
    assert not locked_out(around(ONE, Binding("approver", "vera", "risk")))  # nobody asks yet
    only = around(ONE, Binding("approver", "vera", "risk"), Binding("contributor", "vera", "risk"))
    assert locked_out(only)


def test_what_cannot_be_met_is_said_rule_by_rule_with_how_many_could_decide() -> None:
    nine, none = ApprovalRule("approver", 9), ApprovalRule("reviewer", 2, passkey=True)
    access = around((nine, none), *usual())
    assert unmet(access) == [(nine, 2), (none, 0)]
    assert unmet(around(TWO_DECIDE, *usual())) == []
    both = Binding("reviewer", "vera", "risk"), Binding("approver", "vera", "risk")
    shared = around((ApprovalRule("reviewer", 1), ApprovalRule("approver", 1)), *both)
    assert locked_out(shared)
    assert unmet(shared) == []  # each could be met, and one person decides once


def test_hundreds_of_people_are_a_handful_of_classes() -> None:
    many = tuple(
        Account(f"{role}{n}", f"{role}{n}", may)
        for role, may in (
            ("asks", frozenset({duties.MAKE, duties.REQUEST})),
            ("reviews", frozenset({"release.review"})),
        )
        for n in range(400)
    )
    rules = (ApprovalRule("reviewer", 3),)
    assert fewest(EnvironmentAccess(rules, many), most=3) is None
    found = fewest(EnvironmentAccess(rules, many), most=4)
    assert found is not None and found.people == 4
