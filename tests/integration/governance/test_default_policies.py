"""What the policies that a new project gets ask of the target's node."""

import pytest

from apps.governance.models import Release
from apps.identity.actions import create_project
from placet.kernel.actor import SYSTEM
from tests.support.nodes import SimulatedNode
from tests.support.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def fresh(world: World) -> World:
    """A project as people make one, on the target of ``world``."""
    del world
    return World("fresh", create_project(slug="fresh", name="Fresh", actor=SYSTEM))


def isolation(release: Release) -> list[str]:
    """Return what the gate said, if there is one."""
    return [gate["reason"] for gate in release.gates if gate["gate"] == "isolation"]


def test_development_asks_nobody_and_lets_no_private_address_be_reached(
    node: SimulatedNode, fresh: World
) -> None:
    node.upgraded(network="host")
    release = fresh.request("development", serving={"egress": ["169.254.169.254:80"]})
    assert release.state == "requested"
    assert isolation(release) == [
        "169.254.169.254:80 is a cloud's metadata service: this policy lets no such address be"
        " reached"
    ]
    named = fresh.request("development", serving={"egress": ["db.example:5432"]})
    assert (named.state, isolation(named)) == ("approved", ["It may reach: db.example:5432"])


def test_staging_asks_for_a_network_of_its_own_and_development_for_none(
    node: SimulatedNode, fresh: World
) -> None:
    node.upgraded(network="host")
    refused = fresh.request("staging")
    assert isolation(refused) == [
        "The target's node can give no network of its own: replicas share the host's"
    ]
    fresh.decide(refused, fresh.rex)
    refused.refresh_from_db()
    assert refused.state == "requested", "nobody's approval steps over it"
    assert fresh.request("development").state == "approved"
    node.upgraded()
    passed = fresh.request("staging", endpoint="other")
    assert isolation(passed) == ["It may reach nothing"]
    fresh.decide(passed, fresh.rex)
    passed.refresh_from_db()
    assert passed.state == "approved"
