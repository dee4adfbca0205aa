"""What waits for an approval that nobody can give is said to those who can change that."""

import pytest

from apps.governance.actions import draft_policy
from apps.governance.queries.standstill import standstill
from apps.identity.actions import deactivate_person, revoke_role
from apps.identity.models import RoleBinding, User
from placet.kernel.actor import SYSTEM, Actor
from tests.support import factories
from tests.support.factories import actor_of, browser
from tests.support.page_text import text_of
from tests.support.world import World

pytestmark = pytest.mark.django_db


def told(reader: Actor) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(row.environment.name, row.releases, row.roles) for row in standstill(reader).stuck]


def page(reader: User) -> str:
    return browser(reader).get("/").content.decode()


def take(world: World, *names: str) -> None:
    """Take their roles from people of the project."""
    for binding in RoleBinding.objects.filter(person__in=[world.people[n] for n in names]):
        revoke_role(binding, actor=SYSTEM)


def test_a_release_that_lost_its_last_approver_is_told_to_who_sees_access(world: World) -> None:
    ann = factories.person("Ann", {"admin": None})
    release = world.request("production")
    assert "you're all caught up" in text_of(browser(ann).get("/").content.decode())
    take(world, "Vera")
    assert told(actor_of(ann)) == [], "Vito is left"
    take(world, "Vito")
    assert told(actor_of(ann)) == [("production", 1, ("approver",))]
    home = text_of(browser(ann).get("/").content.decode())
    assert "1 release waits that nobody can approve" in home
    assert "1 release waits for an approval as approver" in home
    assert f'href="/releases/{release.pk}/"' not in page(ann), "who sees access and no releases"
    factories.grant(ann, {"viewer": world.project})
    assert f'href="/releases/{release.pk}/"' in page(ann)
    assert f"churn:1, release {release.number}" in text_of(page(ann))
    assert told(world.rex) == [], "who sees releases and no access"
    other = factories.project("other")
    assert told(actor_of(factories.person("Otis", {"admin": other}))) == []


def test_the_inbox_lists_what_nobody_can_approve_or_publish_as_home_does(world: World) -> None:
    ann = factories.person("Ann", {"admin": None})
    world.request("production")
    source = "version: 1\ngates: [{gate: approvals, role: approver, count: 9}]\n"
    draft_policy(world.environment("staging"), source=source, actor=world.vera)
    take(world, "Vera", "Vito")
    inbox = text_of(browser(ann).get("/inbox/").content.decode())
    assert "Nobody can approve" in inbox and "Nobody can publish" in inbox
    assert "1 release waits for an approval as approver" in inbox
    assert "You can give this role to others" in inbox
    assert "caught up" not in inbox
    assert "Nobody can" not in text_of(browser(world.people["Rex"]).get("/inbox/").content.decode())


def test_who_requested_it_or_has_decided_is_nobody_who_could(world: World) -> None:
    ann = actor_of(factories.person("Ann", {"admin": None}))
    release = world.request("production")
    world.decide(release, world.rex)
    take(world, "Vera", "Vito")
    for name in ("Ada", "Rex"):
        factories.grant(world.people[name], {"approver": world.project})
    assert told(ann) == [("production", 1, ("approver",))]
    factories.person("Vic", {"approver": (world.project, "production")})
    assert told(ann) == []


def test_who_was_deactivated_counts_no_more_beside_others_of_their_team(world: World) -> None:
    ann = actor_of(factories.person("Ann", {"admin": None}))
    world.request("production")
    take(world, "Vera", "Vito")
    bob = factories.person("Bob")
    factories.team("Crew", bob, world.people["Ada"], roles={"approver": world.project})
    assert told(ann) == [], "Bob could, and not Ada, who requested it"
    deactivate_person(bob, actor=SYSTEM)
    assert told(ann) == [("production", 1, ("approver",))]


def test_who_alone_holds_two_roles_that_are_asked_is_one_too_few(world: World) -> None:
    ann = factories.person("Ann", {"admin": None})
    two = ", ".join(
        f"{{gate: approvals, role: {role}, count: 1}}" for role in ("reviewer", "approver")
    )
    world.policy("production", f"version: 1\ngates: [{two}, {{gate: evidence, kind: fairness}}]\n")
    world.request("production")
    factories.grant(world.people["Rex"], {"approver": world.project})
    take(world, "Rita", "Vera")
    assert told(actor_of(ann)) == [], "Rex and Vito"
    take(world, "Vito")
    assert told(actor_of(ann)) == [("production", 1, ("approver", "reviewer"))]
    home = text_of(browser(ann).get("/").content.decode())
    assert "approver and reviewer, and too few people are left, each of whom decides once" in home
    assert "A gate has failed too: unless it passes, an approval does not help." in home
