"""The target of one project is nothing to the operator of another."""

from typing import Any

import pytest

from apps.governance.models import Environment
from apps.serving.models import Node, Target
from tests.factories import ApiClient, api
from tests.governed import World
from tests.nodes import SimulatedNode

pytestmark = pytest.mark.django_db
PLACES = "/projects/risk/environments"


@pytest.fixture
def plant() -> Target:
    """A target that nobody gave to the project ``risk``."""
    return Target.objects.create(name="plant-7", driver="node")


@pytest.fixture
def otto(world: World) -> ApiClient:
    """The operator of ``risk`` alone."""
    return api(world.people["Otto"])


def on(target: Target) -> list[str]:
    """Return the environments of ``risk`` that stand on ``target``."""
    rows = Environment.objects.filter(project__slug="risk", targets=target)
    return sorted(rows.values_list("name", flat=True))


def put(otto: ApiClient) -> Any:
    """Have them put ``development`` on the target of the others."""
    read = otto.get(f"{PLACES}/development")["ETag"]
    targets = {"targets": ["local", "plant-7"]}
    return otto.patch(f"{PLACES}/development", targets, if_match=read)


def test_an_operator_puts_no_environment_on_a_target_that_is_not_theirs(
    otto: ApiClient, plant: Target
) -> None:
    put(otto)
    assert on(plant) == []


def test_an_operator_makes_no_environment_there(otto: ApiClient, plant: Target) -> None:
    otto.post(PLACES, {"name": "edge", "targets": ["plant-7"]})
    assert on(plant) == []


def test_a_contributor_makes_no_endpoint_there(
    world: World, otto: ApiClient, plant: Target
) -> None:
    put(otto)
    bento = world.bento(world.version())
    body = {
        "model": "churn",
        "version": bento.version.number,
        "environment": "development",
        "endpoint": "mine",
        "target": "plant-7",
    }
    api(world.people["Ada"]).post("/projects/risk/releases", body)
    assert list(plant.endpoints.values_list("name", flat=True)) == []


def test_an_operator_does_not_read_what_its_node_says_of_others(
    otto: ApiClient, plant: Target
) -> None:
    SimulatedNode.joined(plant)
    said = {"code": "pass_failed", "detail": "plant/production/fraud does not start"}
    Node.objects.filter(target=plant).update(report={"errors": [said]})
    answer = otto.get("/targets/plant-7")
    told = answer.json()["node"]["problems"] if answer.status_code == 200 else []
    assert told == []
