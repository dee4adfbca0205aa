"""What a release may set and reach: asked for over HTTP, judged by its version and its target."""

import base64
import json

import pytest

from apps.governance.models import Release
from apps.rollouts.actions import start_rollout
from apps.serving.errors import DoesNotFit
from placet.kernel.actor import SYSTEM
from tests.support.factories import api
from tests.support.nodes import PLATFORM, SimulatedNode
from tests.support.world import World

pytestmark = pytest.mark.django_db


def ask(world: World, serving: object, *declared: str) -> tuple[int, dict[str, object]]:
    """Have Ada ask for a development release over HTTP."""
    bento = world.bento(world.version(variables=list(declared)))
    body = {
        "model": "churn",
        "version": bento.version.number,
        "environment": "development",
        "endpoint": "churn",
        "serving": serving,
    }
    answer = api(world.people["Ada"]).post("/projects/risk/releases", body)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("MODE\n", "a name has capital letters"),
        ("MODE", "register a version that names it in its `variables`, or leave it out"),
        ("PATH", "may never be set"),
        ("LD_PRELOAD", "may never be set"),
        ("HTTPS_PROXY", "may never be set"),
        ("mode", "a name has capital letters"),
    ],
)
def test_a_contributors_variable_that_no_node_would_take_is_refused_by_its_name(
    world: World, name: str, says: str
) -> None:
    status, body = ask(world, {"variables": {name: "x"}}, "PATH", "LEVEL")
    assert status == 400
    (error,) = body["errors"]  # type: ignore[misc]
    assert error["pointer"] == f"/serving/variables/{name}"
    assert says in error["detail"]
    assert not Release.objects.exists()


def test_a_declared_variable_and_those_of_ours_are_approved_with_the_release(world: World) -> None:
    variables = {"MODE": "strict", "OMP_NUM_THREADS": "2"}
    status, body = ask(world, {"variables": variables, "egress": ["DB.example:5432"]}, "MODE")
    assert status == 201
    release = Release.objects.get(pk=body["id"])
    assert release.serving["variables"] == variables
    assert release.serving["egress"] == ["db.example:5432"]
    permit = json.loads(api(world.people["Otto"]).get(f"/releases/{release.pk}/permit").content)
    assert b'"egress":["db.example:5432"]' in base64.b64decode(permit["request"]["payload"])


@pytest.mark.parametrize(
    "place", ["db.example", "localhost:1", "127.0.0.1:1", "db:1\n", "0x7f.1:1"]
)
def test_a_destination_that_nobody_could_keep_to_is_refused_by_its_place(
    world: World, place: str
) -> None:
    status, body = ask(world, {"egress": ["db:1", place]})
    (error,) = body["errors"]  # type: ignore[misc]
    assert (status, error["pointer"]) == (400, "/serving/egress/1")
    assert error["detail"].startswith(f"{place!r}: ")


OWN = "version: 1\ngates:\n  - {gate: build}\n  - {gate: isolation}\n"


def test_a_policy_refuses_a_target_that_gives_no_network_until_it_does(
    world: World, node: SimulatedNode
) -> None:
    world.policy("development", OWN)
    for platform, passed in (
        ({"network": "host"}, False),
        ({"features": []}, False),
        ({"network": "", "features": []}, False),
        ({}, True),
    ):
        node.upgraded(**platform)
        release = world.request("development")
        gate = next(g for g in release.gates if g["gate"] == "isolation")
        assert gate["passed"] == passed, gate
        assert (release.state == "approved") == passed
        Release.objects.filter(pk=release.pk).update(state="failed")


def test_a_policy_refuses_a_target_whose_node_never_spoke(world: World) -> None:
    world.policy("development", OWN)
    release = world.request("development")
    gate = next(g for g in release.gates if g["gate"] == "isolation")
    assert (gate["passed"], gate["reason"][:22]) == (False, "No node of the target ")


def test_an_agent_of_before_is_given_nothing_that_it_cannot_keep_apart(
    world: World, node: SimulatedNode
) -> None:
    former = [name for name in PLATFORM["features"] if name != "apart"]
    node.upgraded(features=former)
    release = world.request("development")
    with pytest.raises(DoesNotFit, match="cannot keep a replica from the network"):
        start_rollout(release, actor=SYSTEM)
    node.upgraded()
    assert start_rollout(release, actor=SYSTEM).to_revision.serving["egress"] == []
