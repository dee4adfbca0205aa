"""One document, or one row, stops nobody: not another revision, and no recall."""

from typing import Any

import pytest

from placet_agent.loop import Agent
from placet_agent.parsing import parse_state
from placet_agent.protocol import ProtocolError
from placet_verify import canonical
from placet_verify.dsse import Envelope
from tests.forged import signed_now
from tests.governed import World
from tests.integration.agent.control import Platform
from tests.integration.agent.test_recalled import recalled
from tests.nodes import SimulatedNode, run
from tests.tables import sql

FAULTS = [
    {"variables": {"MODE\n": "x"}},
    {"weight": 10_001},
    {"guard": {"moon_phase": 1}},
    {"header_route": {"header": "X-Try", "value": "a b"}},
]


@pytest.fixture(params=FAULTS, ids=lambda fault: next(iter(fault)))
def good(request: pytest.FixtureRequest, platform: Platform) -> dict[str, Any]:
    """A revision that is good, beside one in the next state that cannot be read."""
    made = platform.revision(1, platform.build("good"), weight=10_000)
    bad = {**platform.revision(2, platform.build("bad")), **request.param}
    platform.endpoints = [platform.endpoint(made, bad)]
    return made


def test_a_revision_that_cannot_be_read_stops_no_other(
    agent: Agent, platform: Platform, good: dict[str, Any]
) -> None:
    platform.publish()
    agent.accept(platform.envelope)

    taken = agent.reconciler._taken
    assert taken is not None, "the node refuses the whole state"
    assert taken[1][good["id"]].allowed


def test_a_revision_that_cannot_be_read_keeps_no_recall_from_being_learned(
    agent: Agent, platform: Platform, good: dict[str, Any]
) -> None:
    _, envelope = recalled(platform, good["bento_digest"])
    platform.publish(recalls=[envelope])
    agent.accept(platform.envelope)

    names = {"bento_digest": good["bento_digest"], "release": good["release"]}
    assert agent.trust.recalls.book.forbids(**names), "the node never learned the recall"


def test_a_state_that_cannot_be_read_still_teaches_what_is_recalled(
    agent: Agent, platform: Platform
) -> None:
    bento = platform.build("good")
    _, envelope = recalled(platform, bento)
    platform.publish(recalls=[envelope], endpoints=None)
    agent.accept(platform.envelope)

    learned = agent.trust.recalls.book.forbids(bento_digest=bento, release="rel_1")
    assert learned, "the node never learned the recall"


@pytest.mark.django_db
def test_the_platform_signs_nothing_that_an_agent_cannot_read(world: World, run_jobs: Any) -> None:
    node = SimulatedNode.joined(world.target)
    node.report()
    world.request("development")
    run(node, run_jobs)
    sql("""UPDATE serving_revision SET variables = '{"MODE\\n": "x"}'""")

    signed = Envelope.from_json(signed_now(world)).payload
    said = "an agent reads it"
    try:
        parse_state(canonical.loads(signed))
    except ProtocolError as error:
        said = str(error)
    assert said == "an agent reads it"
