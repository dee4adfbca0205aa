"""Reviewers for the product and for security: roles of their own, none of which is another's."""

import pytest

from apps.console.queries.releases import request_choices
from apps.governance.actions import draft_policy, publish_policy
from apps.governance.errors import ApprovalNotAsked
from apps.governance.models import Release
from apps.governance.queries.release_detail import release_view
from apps.governance.queries.visible_rows import inbox
from apps.identity.models import User
from placet.kernel.actor import SYSTEM, Actor
from tests.support import factories
from tests.support.page_text import text_of
from tests.support.world import OPEN, World

pytestmark = pytest.mark.django_db
BOTH = """\
version: 1
gates:
  - {gate: build}
  - {gate: approvals, role: security-reviewer, count: 1}
  - {gate: approvals, role: product-reviewer, count: 1}
"""


def holding(world: World, name: str, *roles: str) -> Actor:
    """Return somebody who holds these roles in the project."""
    return factories.actor_of(factories.person(name, roles=dict.fromkeys(roles, world.project)))


@pytest.fixture
def sana(world: World) -> Actor:
    """The reviewer for security."""
    return holding(world, "Sana", "security-reviewer")


@pytest.fixture
def pia(world: World) -> Actor:
    """The reviewer for the product."""
    return holding(world, "Pia", "product-reviewer")


@pytest.fixture
def release(world: World, sana: Actor, pia: Actor) -> Release:
    """A request that both are asked about."""
    world.policy("production", BOTH)
    return world.request("production")


def test_each_decides_as_what_they_are_and_none_for_the_other(
    world: World, release: Release, sana: Actor, pia: Actor
) -> None:
    assert inbox(sana) == inbox(pia) == [release]
    assert inbox(world.rex) == []
    assert world.decide(release, sana).role == "security-reviewer"
    release.refresh_from_db()
    assert release.state == "requested"
    assert [gate["reason"] for gate in release.gates][1:] == [
        "Approved by one security-reviewer",
        "Waiting for one product-reviewer",
    ]
    assert world.decide(release, pia).role == "product-reviewer"
    release.refresh_from_db()
    assert release.state == "approved"


def test_a_reviewer_is_asked_for_no_approval_where_the_policy_names_the_others(
    world: World, release: Release
) -> None:
    with pytest.raises(ApprovalNotAsked, match="no approval as reviewer"):
        world.decide(release, world.rex)


def test_who_holds_several_decides_as_the_one_that_is_missing(
    world: World, release: Release, sana: Actor
) -> None:
    world.decide(release, sana)
    every = holding(world, "Eva", "reviewer", "product-reviewer", "security-reviewer")
    assert release_view(release.pk, every).you_decide_as == "product-reviewer"
    assert world.decide(release, every).role == "product-reviewer"
    release.refresh_from_db()
    assert release.state == "approved"


def test_the_page_names_who_can_decide_for_each_gate(world: World, release: Release) -> None:
    found = release_view(release.pk, world.ada).may_still_decide
    assert {(person.name, person.roles) for person in found} == {
        ("Pia", ("product-reviewer",)),
        ("Sana", ("security-reviewer",)),
    }


def test_who_alone_holds_two_roles_that_are_asked_is_said_to_be_one_too_few(
    world: World,
) -> None:
    holding(world, "Olga", "product-reviewer", "security-reviewer")
    draft = draft_policy(world.environment("production"), source=BOTH, actor=world.vera)
    publish_policy(draft, actor=SYSTEM)  # as roles stood once
    release, ada = world.request("production"), world.people["Ada"]
    said = (
        "Needs two people, and only Olga could decide as product-reviewer or security-reviewer: "
        "an access administrator gives one of these roles to somebody else, not to who requests "
        "the release or made its version"
    )
    assert release_view(release.pk, world.ada).too_few_people == said
    page = text_of(factories.browser(ada).get(f"/releases/{release.pk}/").content.decode())
    assert page.count(said) == 2, "in the heading and beside the gates"
    path = f"/releases/new/?version={release.version_id}"
    form = text_of(factories.browser(ada).get(path).content.decode())
    assert form.count(said) == 2, "beside each of the gates"
    choices = request_choices(release.version, world.ada).environments
    foretold = next(row.foretold for row in choices if row.environment.name == "production")
    assert [gate.state for gate in foretold] == [gate["state"] for gate in release.gates]
    for name in ("/", "/inbox/"):
        shown = text_of(factories.browser(ada).get(name).content.decode())
        assert said in shown, "on the rows of their own requests"
    olga = User.objects.get(name="Olga")
    assert said in text_of(factories.browser(olga).get("/inbox/").content.decode())
    (task,) = factories.api(olga).get("/inbox/tasks").json()["items"]
    assert said in task["detail"]
    answer = factories.api(factories.token_for(ada)).get(f"/releases/{release.pk}")
    assert answer.json()["too_few_people"] == said
    members = text_of(factories.browser(ada).get("/projects/risk/members/").content.decode())
    assert (
        "The policy asks for 1 security-reviewer and 1 product-reviewer, and only 1 person holds "
        "these roles here, each deciding once (Olga): no new request can be approved."
    ) in members
    assert "people who are enough here may be too few for a release, whose page" in members
    pia = holding(world, "Pia", "product-reviewer")
    assert release_view(release.pk, world.ada).too_few_people == ""
    assert said not in text_of(factories.browser(ada).get("/").content.decode())
    world.decide(release, pia)
    assert release_view(release.pk, world.ada).too_few_people == ""


@pytest.mark.parametrize(
    ("flags", "but"),
    [
        ("", ", not to who requests the release or made its version"),
        (", exclude_requester: false", ", not to who made its version"),
        (", exclude_requester: false, exclude_author: false", ""),
    ],
)
def test_whom_a_missing_role_does_not_help_is_said_where_the_policy_leaves_them_out(
    world: World, flags: str, but: str
) -> None:
    source = f"{OPEN}  - {{gate: approvals, role: product-reviewer, count: 1{flags}}}\n"
    draft = draft_policy(world.environment("production"), source=source, actor=world.vera)
    publish_policy(draft, actor=SYSTEM)  # as roles stood once
    release = world.request("production")
    gives = "an access administrator gives this role to somebody"
    assert release_view(release.pk, world.ada).too_few_people.endswith(f"{gives}{but}")
