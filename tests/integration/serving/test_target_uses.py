"""Who may use a target: its list of projects and environments, and who answers for it."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction

from apps.audit.models import Event
from apps.governance import actions
from apps.governance.models import Environment
from apps.identity.models import Project
from apps.jobs.models import Job
from apps.rollouts.actions import rollback, start_rollout
from apps.serving import actions as serving
from apps.serving.errors import TargetInUse, TargetNotListed
from apps.serving.models import Endpoint, Node, Target, TargetUse
from placet.kernel.actor import SYSTEM
from placet.kernel.clock import database_now
from placet.kernel.problems import InvalidInput
from tests.support import factories
from tests.support.factories import ApiClient, api, browser
from tests.support.nodes import SimulatedNode
from tests.support.replay import assert_log_rebuilds_every_row
from tests.support.story import Story
from tests.support.world import World, listed

pytestmark = pytest.mark.django_db


def unlisted(target: str, environment: str, whom: str = "this project") -> str:
    """Return what is said of a target that does not list it, and what to type."""
    command = f"placet target allow {target} risk/{environment}"
    return f"{target} does not list {whom}: who manages targets adds it ({command})"


@pytest.fixture
def chief() -> ApiClient:
    """The operator of everything."""
    return api(factories.person("Chief", {"operator": None}))


@pytest.fixture
def plant(world: World) -> Target:
    """A target that another project has for itself."""
    other = factories.project("plant")
    made = serving.create_target(name="plant-7", actor=SYSTEM)
    return listed(made, other)


def faults(answer: Any) -> dict[str, str]:
    """Return what was wrong with each field."""
    assert answer.status_code == 400, answer.content
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


def tag(client: ApiClient, path: str) -> str:
    """Return the ETag of what is there."""
    return str(client.get(path)["ETag"])


# --- what an operator of one project may do -----------------------------------------------------


def test_a_target_that_one_may_not_see_is_not_there_and_another_does_not_list_the_project(
    world: World, plant: Target
) -> None:
    otto, path = api(world.people["Otto"]), "/projects/risk/environments/development"
    body = {"targets": ["local", "plant-7"]}
    answer = otto.patch(path, body, if_match=tag(otto, path))
    assert faults(answer) == {"/targets": "There is no target plant-7"}
    both = factories.person("Bo", {"operator": world.project})
    factories.grant(both, {"viewer": Project.objects.get(slug="plant")})
    answer = api(both).patch(path, body, if_match=tag(otto, path))
    assert faults(answer) == {"/targets": unlisted("plant-7", "development")}
    answer = api(both).post("/projects/risk/environments", {"name": "edge", "targets": ["plant-7"]})
    assert faults(answer) == {"/targets": unlisted("plant-7", "edge")}
    assert not Environment.objects.filter(project=world.project, targets=plant).exists()


def test_an_entry_of_one_environment_lets_no_other_one_in(world: World) -> None:
    target = serving.create_target(name="edge", actor=SYSTEM)
    listed(target, world.project, "production")
    actions.update_environment(
        world.environment("production"), targets=[world.target, target], actor=world.otto
    )
    with pytest.raises(InvalidInput) as refused:
        actions.update_environment(
            world.environment("development"), targets=[world.target, target], actor=world.otto
        )
    (error,) = refused.value.errors
    assert error.detail == unlisted("edge", "development", "development of this project")


def test_an_environment_that_is_on_an_unlisted_target_may_still_be_changed(world: World) -> None:
    environment = world.environment("development")
    TargetUse.objects.filter(project=world.project).delete()  # as if older code had put it there
    otto, path = api(world.people["Otto"]), "/projects/risk/environments/development"
    body = {"targets": ["local"], "position": 7}
    assert otto.patch(path, body, if_match=tag(otto, path)).status_code == 200
    environment.refresh_from_db()
    assert environment.position == 7


def test_an_environment_is_made_where_its_project_is_listed(world: World, plant: Target) -> None:
    with pytest.raises(InvalidInput):
        actions.create_environment(world.project, name="edge", targets=[plant], actor=world.otto)
    made = actions.create_environment(
        world.project, name="edge", targets=[world.target], actor=world.otto
    )
    assert list(made.targets.all()) == [world.target]


def test_an_endpoint_is_not_made_on_a_target_that_does_not_list_its_environment(
    world: World, plant: Target
) -> None:
    world.environment("development").targets.add(plant)  # as if older code had put it there
    with pytest.raises(InvalidInput) as refused:
        world.request("development", target=plant)
    assert [e.detail for e in refused.value.errors] == [unlisted("plant-7", "development")]
    assert world.request("development").endpoint.target == world.target  # the only one left


# --- the list -----------------------------------------------------------------------------------


def test_who_manages_targets_adds_an_entry_once_however_often_they_click(
    world: World, chief: ApiClient
) -> None:
    serving.create_target(name="edge", actor=SYSTEM)
    path, body = "/targets/edge/uses", {"project": "risk", "environment": "production"}
    first, again = chief.post(path, body), chief.post(path, body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["environment"] == "production"
    assert (
        Event.objects.filter(
            kind="target.use_added.v1", subject=Target.objects.get(name="edge").pk
        ).count()
        == 1
    )
    shown = chief.get(path).json()["items"]
    assert [(row["project"], row["environment"]) for row in shown] == [("risk", "production")]
    assert api(world.people["Otto"]).post(path, {"project": "risk"}).status_code == 403
    assert faults(chief.post(path, {"project": "nothing"})) == {
        "/project": "There is no such project"
    }
    wrong = faults(chief.post(path, body | {"environment": "Not a name"}))
    assert wrong == {"/environment": "The name of an environment, or leave it out for all of them"}


def test_an_entry_goes_as_it_was_read_and_only_once(world: World, chief: ApiClient) -> None:
    target = serving.create_target(name="edge", actor=SYSTEM)
    listed(target, world.project)
    path = f"/targets/edge/uses/{TargetUse.objects.get(target=target).pk}"
    assert chief.delete(path).status_code == 428
    assert chief.delete(path, if_match='"other"').status_code == 412
    read = tag(chief, path)
    assert api(world.people["Otto"]).delete(path, if_match=read).status_code == 403
    assert chief.delete(path, if_match=read).status_code == 204
    assert chief.delete(path, if_match=read).status_code == 404
    assert Event.objects.filter(kind="target.use_removed.v1").count() == 1
    assert_log_rebuilds_every_row(TargetUse)


def test_an_entry_stays_while_an_endpoint_stands_there_by_it(
    world: World, chief: ApiClient
) -> None:
    endpoint = world.request("development").endpoint
    for use in TargetUse.objects.filter(target=world.target).exclude(environment="development"):
        serving.end_use(use, actor=SYSTEM)  # the other one covers the endpoint
    use = TargetUse.objects.get(target=world.target, project=world.project)
    path = f"/targets/local/uses/{use.pk}"
    refused = chief.delete(path, if_match=tag(chief, path))
    assert (refused.status_code, refused.json()["code"]) == (409, "target_in_use")
    assert refused.json()["detail"] == "Not stopped yet: risk/development/churn"
    assert TargetUse.objects.filter(pk=use.pk).exists()
    serving.stop_endpoint(endpoint, actor=world.otto)
    assert chief.delete(path, if_match=tag(chief, path)).status_code == 204


def test_a_refusal_does_not_name_endpoints_to_who_may_not_see_them(world: World) -> None:
    world.request("development")
    boss = factories.person("Boss", {"operator": None})
    api_only = api(
        factories.token_for(boss, scopes=["target.manage", "target.view", "project.view"])
    )
    serving.end_use(TargetUse.objects.get(target=world.target, environment=""), actor=SYSTEM)
    use = TargetUse.objects.get(target=world.target, environment="development")
    path = f"/targets/local/uses/{use.pk}"
    refused = api_only.delete(path, if_match=tag(api_only, path))
    assert refused.json()["detail"] == "Not stopped yet: 1 more"


def test_the_log_alone_gives_targets_and_their_lists(world: World) -> None:
    target = serving.create_target(name="edge", actor=SYSTEM)
    owner = factories.person("Olga")
    listed(target, world.project, "staging")
    listed(target, world.project)
    serving.update_target(target, owner=owner.pk, actor=SYSTEM)
    serving.end_use(TargetUse.objects.get(target=target, environment=""), actor=SYSTEM)
    assert assert_log_rebuilds_every_row(TargetUse) == 5


def test_a_new_project_may_use_the_default_targets_and_the_log_says_the_system_let_it(
    world: World,
) -> None:
    fresh = factories.project("fresh")
    uses = TargetUse.objects.filter(project=fresh, target=world.target)
    assert set(uses.values_list("environment", flat=True)) == {
        "development",
        "staging",
        "production",
    }
    events = Event.objects.filter(kind="target.use_added.v1", project=fresh.pk)
    assert set(events.values_list("actor_id", "environment")) == {
        ("system", name) for name in ("development", "staging", "production")
    }


# --- what runs already, and what comes next -----------------------------------------------------


def test_what_was_stopped_is_not_started_on_a_target_that_no_longer_lists_it(
    world: World,
) -> None:
    endpoint = world.request("development").endpoint
    serving.stop_endpoint(endpoint, actor=world.otto)
    for use in TargetUse.objects.filter(target=world.target):
        serving.end_use(use, actor=SYSTEM)
    with pytest.raises(TargetNotListed, match="local does not list this project"):
        serving.start_endpoint(endpoint, actor=world.otto)
    endpoint.refresh_from_db()
    assert endpoint.state == "stopped"
    with pytest.raises(TargetNotListed):
        world.request("development", endpoint="churn")
    listed(world.target, world.project, "development")
    assert serving.start_endpoint(endpoint, actor=world.otto).state == "active"


def test_an_approved_release_does_not_start_where_its_environment_is_no_longer_listed(
    world: World, node: SimulatedNode
) -> None:
    release = world.request("development")
    TargetUse.objects.filter(project=world.project).delete()
    with pytest.raises(TargetNotListed):
        start_rollout(release, actor=world.otto)
    release.refresh_from_db()
    assert release.state == "approved"


def test_a_way_back_is_open_where_the_environment_is_no_longer_listed(story: Story) -> None:
    first = story.release("development")
    start_rollout(first, actor=story.otto)
    story.settle()
    second = story.release("development")
    start_rollout(second, actor=story.otto)
    story.settle()
    TargetUse.objects.filter(project=story.world.project).delete()
    with pytest.raises(TargetNotListed):
        story.release("development")
    back = rollback(first.endpoint, reason="worse", actor=story.otto)
    assert (back.kind, back.to_revision.release) == ("rollback", first.pk)
    story.settle()
    assert first.endpoint.revisions.get(state="live").release == first.pk


# --- who answers for it -------------------------------------------------------------------------


def test_whoever_adds_a_target_answers_for_it_until_another_is_named(chief: ApiClient) -> None:
    made = chief.post("/targets", {"name": "edge"}).json()
    assert made["owner"] == chief.get("/whoami").json()["id"]
    olga = factories.person("Olga")
    body = {"owner": "OLGA@example.com"}
    read = tag(chief, "/targets/edge")
    assert chief.patch("/targets/edge", body, if_match=read).json()["owner"] == olga.pk
    assert chief.patch("/targets/edge", body, if_match=read).status_code == 412
    event = Event.objects.get(kind="target.owner_changed.v1")
    assert olga.pk in event.body
    assert "olga@example.com" not in event.body.lower()
    for nobody in ("nobody@example.com", "per_x"):
        answer = chief.patch(
            "/targets/edge", {"owner": nobody}, if_match=tag(chief, "/targets/edge")
        )
        assert "/owner" in faults(answer)
    assert_log_rebuilds_every_row(Target)


# --- what others are told -----------------------------------------------------------------------


def test_only_who_may_view_targets_everywhere_sees_those_of_other_projects(
    world: World, plant: Target, chief: ApiClient
) -> None:
    def names(client: ApiClient) -> list[str]:
        return sorted(row["name"] for row in client.get("/targets").json()["items"])

    assert names(api(world.people["Otto"])) == ["local"]
    assert names(chief) == ["local", "plant-7"]
    otto = api(world.people["Otto"])
    for path in ("/targets/plant-7", "/targets/plant-7/uses"):
        assert otto.get(path).status_code == 404
    assert otto.post("/targets/plant-7/join-tokens").status_code == 404


def test_a_targets_list_names_no_project_that_one_does_not_see(
    world: World, chief: ApiClient
) -> None:
    listed(world.target, factories.project("secret"))
    shown = api(world.people["Ada"]).get("/targets/local/uses").json()["items"]
    assert {row["project"] for row in shown} == {"risk"}
    other = TargetUse.objects.filter(project__slug="secret").first()
    assert other is not None
    assert api(world.people["Ada"]).get(f"/targets/local/uses/{other.pk}").status_code == 404
    assert chief.get(f"/targets/local/uses/{other.pk}").status_code == 200


def test_what_a_node_says_went_wrong_with_others_is_for_who_sees_every_target(
    world: World, node: SimulatedNode, chief: ApiClient
) -> None:
    said = {"code": "pass_failed", "detail": "secret/production/fraud: out of memory"}
    Node.objects.update(report={"errors": [said, said]})
    assert chief.get("/targets/local").json()["node"]["problems"] == [said, said]
    told = api(world.people["Otto"]).get("/targets/local").json()["node"]["problems"]
    assert [row["code"] for row in told] == ["pass_failed"]
    assert "secret" not in str(told)


# --- at the same moment -------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["creation first", "removal first"])
def test_an_entry_that_goes_and_an_endpoint_that_comes_do_not_slip_past_each_other(
    world: World, kind: str
) -> None:
    for use in TargetUse.objects.filter(target=world.target).exclude(environment="development"):
        serving.end_use(use, actor=SYSTEM)
    use = TargetUse.objects.get(target=world.target, environment="development")
    place = world.otto, world.project, world.target

    def make() -> None:
        serving.create_endpoint(
            place[1], environment="development", name="new", target=place[2], actor=place[0]
        )

    def remove() -> None:
        serving.end_use(use, actor=SYSTEM)

    first, second = (make, remove) if kind == "creation first" else (remove, make)
    refused: list[BaseException] = []

    def other() -> None:
        try:
            second()
        except (TargetInUse, InvalidInput) as problem:
            refused.append(problem)
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    with transaction.atomic():
        first()
        thread.start()
        thread.join(0.7)
        assert thread.is_alive(), "nobody waited for the one who was first"
    thread.join(10)
    assert not thread.is_alive()
    assert len(refused) == 1
    there = Endpoint.objects.filter(name="new").exists()
    entry = TargetUse.objects.filter(pk=use.pk).exists()
    assert there == entry == (kind == "creation first")


def test_an_environment_that_is_not_there_may_be_listed_and_is_said_to_be_missing(
    world: World, chief: ApiClient
) -> None:
    path = "/targets/local/uses"
    made = chief.post(path, {"project": "risk", "environment": "edge"})
    assert (made.status_code, made.json()["note"]) == (201, "no such environment yet")
    there = chief.post(path, {"project": "risk", "environment": "staging"})
    assert (there.status_code, there.json()["note"]) == (200, "")
    notes = {row["environment"]: row["note"] for row in chief.get(path).json()["items"]}
    assert {name for name, note in notes.items() if note} == {"edge"}
    assert {"", "staging"} < set(notes)
    otto = factories.browser(factories.person("Olga", {"operator": None}))
    assert "no such environment yet" in otto.get("/targets/local/").content.decode()
    actions.create_environment(world.project, name="edge", actor=world.otto)
    assert chief.post(path, {"project": "risk", "environment": "edge"}).json()["note"] == ""


def test_a_release_says_that_its_target_does_not_list_it_any_more_and_starts_once_it_does(
    story: Story,
) -> None:
    asked = story.release("staging", endpoint="other")
    unheld = story.world.request("development", plan={"start": "manual"})
    TargetUse.objects.filter(project=story.world.project).delete()
    ada = api(story.people["Ada"])
    why = f"{unlisted('local', 'staging')}. It cannot start until then"
    assert ada.get(f"/releases/{asked.pk}").json()["waits_for"] == why
    why = f"{unlisted('local', 'development')}. It cannot start until then"
    assert ada.get(f"/releases/{unheld.pk}").json()["waits_for"] == why
    page = browser(story.people["Rex"]).get(f"/releases/{asked.pk}/").content.decode()
    dialog = page.split('<dialog id="review"')[1].split("</dialog>")[0]
    approve, *others = dialog.split('<div class="way">')[1:]
    assert "Once approved, the rollout has to wait: local does not list this project" in approve
    assert not any("cannot start until then" in way for way in others)

    story.approve(asked)
    for _ in range(4):  # more often than what fails would be tried
        Job.objects.filter(kind="rollouts.start", state="queued").update(due_at=database_now())
        story.settle(rounds=3)
    assert story.state(asked) == "approved"
    assert ada.get(f"/releases/{asked.pk}").json()["waits_for"] == unlisted("local", "staging")
    listed(story.world.target, story.world.project)
    Job.objects.filter(kind="rollouts.start", state="queued").update(due_at=database_now())
    story.settle()
    assert story.state(asked) == "live"
