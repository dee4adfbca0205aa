"""A node can neither fill the log nor write into it what it likes."""

import json

import pytest

from apps.audit.models import Event
from apps.serving.actions import issue_join_token
from placet.kernel.actor import SYSTEM
from tests.governed import World
from tests.nodes import PLATFORM, SimulatedNode

pytestmark = pytest.mark.django_db
JANE = "Mrs Jane Doe of 1 Main Street"


def bodies() -> str:
    """Return all that the log holds."""
    return "".join(Event.objects.values_list("body", flat=True))


@pytest.mark.parametrize("name", ["machine", "of_nobody"])
def test_nothing_that_a_node_says_of_its_host_gets_into_the_log(
    node: SimulatedNode, name: str
) -> None:
    node.report(platform={**PLATFORM, name: JANE})
    named = "Jane" in bodies()
    assert not named, "the log names the person for ever"


def test_a_node_does_not_fill_the_log(node: SimulatedNode) -> None:
    before = len(bodies())
    node.report(platform={**PLATFORM, "machine": JANE * 40_000})
    assert len(bodies()) - before < 5000


def test_nothing_that_a_node_says_when_it_joins_gets_into_the_log(world: World) -> None:
    node, token = SimulatedNode(), issue_join_token(world.target, actor=SYSTEM)
    body = {
        "v": 1,
        "token": token.partition(".")[0],
        "public_key": node.key.public.to_base64(),
        "agent_version": "0.1.0",
        "platform": {**PLATFORM, "machine": JANE},
    }
    node.call("POST", "/agent/v1/join", json.dumps(body).encode())
    named = "Jane" in bodies()
    assert not named, "the log names the person for ever"


def test_a_change_is_logged_once_a_minute(node: SimulatedNode) -> None:
    for number in range(10):
        limit = ("prlimit", "cgroup1")[number % 2]
        assert node.report(platform={**PLATFORM, "memory_limit": limit}).status_code == 200
    assert Event.objects.filter(kind="node.changed.v1").count() <= 1
