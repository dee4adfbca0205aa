"""The nodes page says what production shares, home only to who can change it; the page of a target
says who may use it."""

import pytest

from apps.audit.models import Event
from apps.governance.actions import update_environment
from apps.governance.models import Release
from apps.serving.actions import create_target, stop_endpoint
from apps.serving.models import Revision, Target, TargetUse
from placet.kernel.actor import SYSTEM
from tests.support import factories
from tests.support.factories import browser
from tests.support.story import Story
from tests.support.world import OPEN, World, listed

pytestmark = pytest.mark.django_db


def nodes(world: World, name: str = "Ada", path: str = "/targets/") -> str:
    """Return the text of the nodes page as one of the world's people sees it, on one line."""
    return " ".join(browser(world.people[name]).get(path).content.decode().split())


def runs(release: Release) -> None:
    """Have a release run on a target that no node of the test's own serves."""
    Revision.objects.create(
        endpoint=release.endpoint,
        project=release.project,
        bento=release.bento,
        number=1,
        release=release.pk,
        permit="{}",
        state="live",
    )


def alone(world: World) -> Target:
    """Give production a target of its own."""
    target = world.another_target("prod-1")
    update_environment(world.environment("production"), targets=[target], actor=SYSTEM)
    return target


def test_nodes_says_what_production_shares_its_target_with(world: World) -> None:
    assert "In Risk, production shares the target local with development and" in nodes(world)
    assert 'id="own-target"' in nodes(world)


def test_nothing_is_said_of_it_once_production_has_a_target_of_its_own(world: World) -> None:
    alone(world)
    assert "shares the target" not in nodes(world)


def test_it_goes_away_when_production_has_moved_as_the_guide_says(story: Story) -> None:
    """The old target stays with the environment, because the stopped endpoint stands there."""
    world = story.world
    for place in ("staging", "production"):
        world.policy(place, OPEN)
    old = story.live("production")
    target = create_target(name="prod-1", actor=SYSTEM)
    listed(target, world.project, "production")
    both = [world.target, target]
    update_environment(world.environment("production"), targets=both, actor=SYSTEM)
    said = "In Risk, production shares the target local with development and staging."
    assert said in nodes(world), "it still runs there"
    new = world.request("production", endpoint="new", target=target, plan={"start": "manual"})
    runs(new)
    assert said in nodes(world), "the old one still runs there"
    stop_endpoint(old.endpoint, actor=world.otto)
    assert "shares the target" not in nodes(world)
    stop_endpoint(new.endpoint, actor=world.otto)
    assert said in nodes(world), "with nothing that runs it may be put there again"


def test_who_may_not_use_the_target_any_more_and_runs_nothing_there_shares_nothing(
    story: Story,
) -> None:
    world = story.world
    TargetUse.objects.filter(project=world.project).exclude(environment="production").delete()
    assert "shares the target" not in nodes(world)
    listed(world.target, world.project)
    development = story.live("development")
    assert "with development and staging" in nodes(world)
    TargetUse.objects.filter(project=world.project).exclude(environment="production").delete()
    assert "shares the target local with development." in nodes(world), "it runs there"
    stop_endpoint(development.endpoint, actor=world.otto)
    assert "shares the target" not in nodes(world)


def test_it_names_another_project_on_it_to_who_sees_that_one_alone(world: World) -> None:
    target = alone(world)
    other = factories.project("secret", "Secret project")
    listed(target, other)
    place = other.environments.get(name="development")
    update_environment(place, targets=[target], actor=SYSTEM)
    assert "shares the target" not in nodes(world)
    factories.grant(world.people["Rex"], {"viewer": other})
    said = "In Risk, production shares the target prod-1 with Secret project."
    assert said in nodes(world, "Rex")


def test_it_is_said_to_nobody_who_sees_no_environment(world: World) -> None:
    client = browser(factories.person("Nina"))
    assert all(b"shares the target" not in client.get(p).content for p in ("/", "/targets/"))


def test_who_manages_targets_says_on_its_page_who_may_use_one(world: World) -> None:
    chief = factories.person("Chief", roles={"operator": None})
    client, olga = browser(chief), factories.person("Olga")
    form_says = "Left empty, all environments of the project may use this target"
    assert form_says in client.get("/targets/local/").content.decode()
    form = {"project": "risk", "environment": "later", "next": "/targets/local/"}
    for _ in range(2):
        assert client.post("/targets/local/uses/add", form)["Location"] == "/targets/local/"
    assert TargetUse.objects.filter(environment="later").count() == 1
    revision = Target.objects.get(name="local").revision
    owned = {"owner": olga.email, "revision": str(revision), "next": "/targets/local/"}
    client.post("/targets/local/owner", owned)
    shown = client.get("/targets/local/").content.decode()
    assert "Olga" in shown and ">later<" in "".join(shown.split())
    stale = client.post("/targets/local/owner", owned, follow=True).content.decode()
    assert "changed" in stale
    assert Event.objects.filter(kind="target.owner_changed.v1").count() == 1
    use = TargetUse.objects.get(environment="later")
    client.post(f"/targets/local/uses/{use.pk}/remove", {"next": "/targets/local/"})
    assert not TargetUse.objects.filter(environment="later").exists()


def test_a_reader_of_a_target_sees_its_projects_and_no_form(world: World) -> None:
    listed(world.target, factories.project("secret"))
    shown = browser(world.people["Otto"]).get("/targets/local/").content.decode()
    assert "risk" in shown and "secret" not in shown
    assert "and 4 entries of projects you do not see" in " ".join(shown.split())
    assert "<form" not in shown.split("<main", 1)[1]
