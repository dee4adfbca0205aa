"""An endpoint that is deleted and made anew under its name has the clients of the one before."""

from typing import Any

import pytest

from apps.assurance.actions import recall
from apps.governance.actions import withdraw
from apps.governance.models import Release
from apps.serving.actions import delete_endpoint, stop_endpoint
from apps.serving.models import Endpoint
from tests.integration.governance.test_life_cycle import gate
from tests.support.world import World

pytestmark = pytest.mark.django_db
POLICY = """version: 1
gates:
  - {gate: schema}
  - {gate: expression, says: Better, that: evidence.metrics.auc > live.metrics.auc}
  - {gate: approvals, role: reviewer, count: 1}
"""
NOTHING = "Nothing to compare with has been live here yet"
OTHER = {
    "inputs": [{"name": "other", "type": "string"}],
    "outputs": [{"name": "y", "type": "string"}],
}


@pytest.fixture
def live(world: World) -> Release:
    """What is live in staging, where the policy compares with it from now on."""
    world.soaked(world.bento(world.version(), metrics={"auc": 0.9}))
    world.policy("staging", POLICY)
    return Release.objects.select_related("endpoint", "version__model").get(state="live")


def made_anew(world: World, live: Release) -> None:
    """Stop and delete the endpoint of ``live``."""
    stop_endpoint(live.endpoint, actor=world.otto)
    endpoint = Endpoint.objects.get(pk=live.endpoint_id)
    delete_endpoint(endpoint, if_generation=endpoint.generation, actor=world.otto)


def asked(world: World, live: Release, name: str = "", **version: Any) -> Release:
    """Ask for a release of another version at the name of ``live``."""
    bento = world.bento(world.version(**version), metrics={"auc": 0.8})
    return world.request("staging", bento, endpoint=name or live.endpoint.name)


def test_what_breaks_clients_fails_at_the_name_though_its_endpoint_was_made_anew(
    world: World, live: Release
) -> None:
    before = asked(world, live, signature=OTHER)
    said = gate(before, "schema")
    assert said["state"] == "failed"
    withdraw(before, actor=world.ada)
    made_anew(world, live)
    release = asked(world, live, signature=OTHER)
    assert release.endpoint_id != live.endpoint_id
    found = gate(release, "schema")
    what = f"Compared with {live.version}, which served here last: "
    assert (found["state"], found["reason"]) == ("failed", what + said["reason"])
    assert found["facts"]["changes"] == said["facts"]["changes"]


def test_what_clients_can_go_on_calling_passes_there_and_says_what_it_was_compared_with(
    world: World, live: Release
) -> None:
    made_anew(world, live)
    found = gate(asked(world, live), "schema")
    same = f"Compared with {live.version}, which served here last: inputs and outputs are the same"
    assert (found["state"], found["reason"]) == ("passed", same)


def test_a_condition_sees_there_what_served_last(world: World, live: Release) -> None:
    made_anew(world, live)
    found = gate(asked(world, live), "expression")
    assert (found["state"], found["reason"]) == ("failed", "not 0.8 > 0.9")


def test_nothing_has_been_live_at_another_name(world: World, live: Release) -> None:
    made_anew(world, live)
    found = gate(asked(world, live, "another", signature=OTHER), "schema")
    assert (found["state"], found["reason"]) == ("passed", NOTHING)


def test_a_recall_of_what_served_before_does_not_make_it_the_last(world: World) -> None:
    older = world.bento(world.version(signature=OTHER))
    world.soaked(older)
    world.soaked(world.bento(world.version()))
    live = Release.objects.select_related("endpoint").get(state="live")
    made_anew(world, live)
    recall(kind="bento", what=older.pk, reason="old", project=world.project, actor=world.otto)
    world.policy("staging", "version: 1\ngates: [{gate: schema}, {gate: freeze}]\n")
    again = world.request("staging", world.bento(world.version(signature=OTHER)))
    assert gate(again, "schema")["state"] == "failed"


def test_what_was_recalled_is_no_bar(world: World, live: Release) -> None:
    better = world.bento(world.version(signature=OTHER), metrics={"auc": 1.0})
    world.policy("staging", "version: 1\ngates: [{gate: approvals, role: reviewer, count: 1}]\n")
    world.soaked(better)
    world.policy("staging", POLICY)
    recall(kind="bento", what=better.pk, reason="x", project=world.project, actor=world.otto)
    release = asked(world, live)
    same = f"Compared with {live.version}, which served here last: inputs and outputs are the same"
    assert gate(release, "schema")["reason"] == same
    assert gate(release, "expression")["reason"] == "not 0.8 > 0.9"


@pytest.mark.parametrize("first", ["recalled", "deleted"])
def test_where_all_was_recalled_there_is_nothing_to_compare_with(
    world: World, live: Release, first: str
) -> None:
    if first == "deleted":
        made_anew(world, live)
    recall(kind="bento", what=live.bento_id, reason="x", project=world.project, actor=world.otto)
    release = asked(world, live, signature=OTHER)
    assert (gate(release, "schema")["state"], gate(release, "schema")["reason"]) == (
        "passed",
        NOTHING,
    )
    found = gate(release, "expression")
    why = "There is no live.metrics: nothing is live here"
    assert (found["state"], found["reason"]) == ("error", why)
