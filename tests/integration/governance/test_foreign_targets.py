"""The target of one project is nothing to the operator of another."""

from typing import Any

import pytest

from apps.governance.models import Environment
from apps.serving.models import Node, Target
from tests.support import factories
from tests.support.factories import ApiClient, api
from tests.support.nodes import SimulatedNode
from tests.support.world import World

pytestmark = pytest.mark.django_db
PLACE = "/projects/risk/environments/development"


@pytest.fixture
def plant(world: World) -> Target:
    """A target that nobody gave to the project ``risk``."""
    return Target.objects.create(name="plant-7", driver="node")


@pytest.fixture
def otto(world: World) -> ApiClient:
    """The operator of ``risk`` alone."""
    return api(world.people["Otto"])


def put(client: ApiClient, *targets: str) -> Any:
    """Have the environment ``development`` use these targets."""
    read = client.get(PLACE)["ETag"]
    return client.patch(PLACE, {"targets": list(targets)}, if_match=read)


def on(target: Target) -> list[str]:
    """Return the environments of ``risk`` that stand on ``target``."""
    rows = Environment.objects.filter(project__slug="risk", targets=target)
    return sorted(rows.values_list("name", flat=True))


def test_an_operator_of_one_project_does_not_put_their_environment_on_anothers_target(
    otto: ApiClient, plant: Target
) -> None:
    answer = put(otto, "local", "plant-7")
    assert on(plant) == []
    assert answer.status_code == 400
    assert "plant-7" in answer.content.decode()


def test_nor_do_they_make_one_there(otto: ApiClient, plant: Target) -> None:
    answer = otto.post("/projects/risk/environments", {"name": "edge", "targets": ["plant-7"]})
    assert on(plant) == []
    assert answer.status_code == 400


def test_nor_does_a_contributor_make_an_endpoint_there_through_an_environment_that_is_on_it(
    world: World, otto: ApiClient, plant: Target
) -> None:
    put(otto, "local", "plant-7")
    bento = world.bento(world.version())
    body = {
        "model": "churn",
        "version": bento.version.number,
        "environment": "development",
        "endpoint": "mine",
        "target": "plant-7",
    }
    answer = api(world.people["Ada"]).post("/projects/risk/releases", body)
    assert not plant.endpoints.exists()
    assert answer.status_code == 400


def test_nor_do_they_read_what_it_is_and_what_its_node_says_of_others(
    otto: ApiClient, plant: Target
) -> None:
    SimulatedNode.joined(plant)
    said = {"code": "pass_failed", "detail": "plant/production/fraud does not start"}
    Node.objects.filter(target=plant).update(report={"errors": [said]})
    assert "plant-7" not in otto.get("/targets").content.decode()
    assert otto.get("/targets/plant-7").status_code == 404


def test_what_the_node_of_a_shared_target_says_of_others_is_not_told(
    world: World, otto: ApiClient, node: SimulatedNode
) -> None:
    said = {"code": "pass_failed", "detail": "plant/production/fraud does not start"}
    Node.objects.filter(target=world.target).update(report={"errors": [said]})
    assert "fraud" not in otto.get("/targets/local").content.decode()
    client = factories.browser(world.people["Otto"])
    assert "fraud" not in client.get("/targets/").content.decode()
    assert b"pass_failed" in otto.get("/targets/local").content
