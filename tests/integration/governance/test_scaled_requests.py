"""Replicas that a node scales: who asks for them, what is approved, and which node takes them."""

import base64
import json
from typing import Any

import pytest

from apps.governance.models import Release
from apps.rollouts.actions import start_rollout
from apps.serving.desired import needs_of
from apps.serving.errors import DoesNotFit
from apps.serving.models import Target
from placet.kernel.actor import SYSTEM
from tests.support.factories import api
from tests.support.nodes import PLATFORM, SimulatedNode
from tests.support.world import World

pytestmark = pytest.mark.django_db
SCALED = {"replicas": 2, "max_replicas": 3, "min_replicas": 1, "target_inflight": 4}


def ask(world: World, serving: dict[str, Any]) -> tuple[int, str]:
    """Have Ada ask for a development release; return the status and what is wrong with what."""
    bento = world.bento(world.version())
    body = {
        "model": "churn",
        "version": bento.version.number,
        "environment": "development",
        "endpoint": "churn",
        "serving": serving,
    }
    answer = api(world.people["Ada"]).post("/projects/risk/releases", body)
    faults = answer.json().get("errors") or []
    return answer.status_code, "; ".join(f"{f['pointer']} {f['detail']}" for f in faults)


def test_how_a_node_scales_is_approved_with_the_release(world: World) -> None:
    assert ask(world, SCALED) == (201, "")
    release = Release.objects.get()
    assert {name: release.serving[name] for name in SCALED} == SCALED
    permit = json.loads(api(world.people["Otto"]).get(f"/releases/{release.pk}/permit").content)
    signed = base64.b64decode(permit["request"]["payload"])
    assert b'"min_replicas":1' in signed
    assert b'"target_inflight":4' in signed


def test_without_it_the_release_is_written_as_before_there_was_any(world: World) -> None:
    assert ask(world, {"target_inflight": None, "min_replicas": None}) == (201, "")
    assert not {"target_inflight", "min_replicas"} & {*Release.objects.get().serving}


def test_min_replicas_alone_is_refused_by_its_name(world: World) -> None:
    status, said = ask(world, {"min_replicas": 1})
    assert status == 400
    assert said == "/serving/min_replicas needs target_inflight: without it nothing is scaled"


def test_all_replicas_that_it_may_have_must_fit_on_the_target(world: World) -> None:
    Target.objects.update(capacity_mb=2048)
    status, said = ask(world, SCALED)
    assert status == 422
    assert said == "/serving 3072 MB are asked for, and local has 2048 MB"
    by_an_operator = {name: SCALED[name] for name in ("replicas", "max_replicas")}
    assert ask(world, by_an_operator) == (201, "")


def test_an_agent_of_before_is_not_given_what_it_would_not_scale(
    world: World, node: SimulatedNode
) -> None:
    assert ask(world, SCALED) == (201, "")
    release = Release.objects.get()
    node.upgraded(features=[name for name in PLATFORM["features"] if name != "scaling"])
    with pytest.raises(DoesNotFit, match="The node's agent cannot scale by load: upgrade it"):
        start_rollout(release, actor=SYSTEM)
    node.upgraded()
    revision = start_rollout(release, actor=SYSTEM).to_revision
    assert "scaling" in needs_of(revision)


def test_an_agent_that_could_not_wake_it_is_not_given_what_sleeps(
    world: World, node: SimulatedNode
) -> None:
    asked = SCALED | {"min_replicas": 0, "limits": {"queue": 20, "queue_seconds": 10}}
    assert ask(world, asked) == (201, "")
    release = Release.objects.get()
    assert release.serving["min_replicas"] == 0
    node.upgraded(features=[name for name in PLATFORM["features"] if name != "zero"])
    with pytest.raises(DoesNotFit, match="The node's agent cannot wake what sleeps: upgrade it"):
        start_rollout(release, actor=SYSTEM)
    node.upgraded()
    revision = start_rollout(release, actor=SYSTEM).to_revision
    assert {"scaling", "zero"} <= set(needs_of(revision))


def test_requests_wait_for_a_replica_only_where_there_may_be_none(world: World) -> None:
    status, said = ask(world, SCALED | {"limits": {"queue": 20}})
    assert status == 400
    assert said == "/serving/limits/queue needs in_flight: without it no request waits"
