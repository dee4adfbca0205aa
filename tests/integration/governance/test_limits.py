"""Limits of requests: who may ask for which, what people approve, and which node takes them."""

import base64
import json

import pytest

from apps.governance.models import Release
from apps.rollouts.actions import start_rollout
from apps.serving.desired import needs_of
from apps.serving.errors import DoesNotFit
from placet.kernel.actor import SYSTEM
from tests.support.factories import api
from tests.support.nodes import PLATFORM, SimulatedNode
from tests.support.world import World

pytestmark = pytest.mark.django_db
LIMITS = {"request_seconds": 5, "in_flight": 4, "queue": 0, "queue_seconds": 2, "rate": 50}


def ask(world: World, limits: object) -> tuple[int, str]:
    """Have Ada ask for a development release; return the status and what is wrong with what."""
    return world.ask(world.bento(world.version()), serving={"limits": limits})


def test_limits_are_approved_with_the_release(world: World) -> None:
    assert ask(world, LIMITS) == (201, "")
    release = Release.objects.get()
    assert release.serving["limits"] == LIMITS
    permit = json.loads(api(world.people["Otto"]).get(f"/releases/{release.pk}/permit").content)
    written = json.dumps(LIMITS, sort_keys=True, separators=(",", ":"))
    assert f'"limits":{written}'.encode() in base64.b64decode(permit["request"]["payload"])


def test_none_are_written_as_before_there_were_any(world: World) -> None:
    assert ask(world, None) == (201, "")
    assert "limits" not in Release.objects.get().serving


@pytest.mark.parametrize(
    ("limits", "fault"),
    [
        ({}, "/serving/limits must be an object with some of request_seconds, in_flight"),
        (5, "/serving/limits must be an object with some of request_seconds, in_flight"),
        ({"rate": 0}, "/serving/limits/rate must be a whole number from 1 to 10000"),
        ({"queue": 1}, "/serving/limits/queue needs in_flight: without it no request waits"),
        ({"in_flights": 1}, "/serving/limits/in_flights is none of request_seconds"),
    ],
)
def test_any_other_is_refused_by_its_name(world: World, limits: object, fault: str) -> None:
    status, said = ask(world, limits)
    assert status == 400
    assert said.startswith(fault)


def test_an_agent_of_before_is_not_given_what_it_would_not_hold_to(
    world: World, node: SimulatedNode
) -> None:
    assert ask(world, LIMITS) == (201, "")
    release = Release.objects.get()
    node.upgraded(features=[name for name in PLATFORM["features"] if name != "limits"])
    with pytest.raises(DoesNotFit, match="cannot hold requests to limits: upgrade it"):
        start_rollout(release, actor=SYSTEM)
    node.upgraded()
    revision = start_rollout(release, actor=SYSTEM).to_revision
    assert revision.serving["limits"] == LIMITS
    assert "limits" in needs_of(revision)
