"""Whatever stands in one document, the others run, and what is recalled stops.

What a node did wrong at 5a35692 is shown there by ``proofs/faults.py``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from placet_agent.loop import Agent
from placet_agent.state.data_dir import Home
from placet_agent.state.joining import join
from tests.integration.agent.conftest import NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.run_agent import OPTIONS
from tests.integration.agent.test_recalls import recalled

Entry = dict[str, Any]


@pytest.fixture
def agent(platform: Platform, tmp_path: Path) -> Iterator[Agent]:
    """An agent that joined, and is handed states by hand: no process runs."""
    home = Home(tmp_path / "node")
    join(home, platform.url, platform.token, root="", port=8080, pythons=[])
    made = Agent(home, OPTIONS)
    yield made
    close(made)


def close(agent: Agent) -> None:
    """Close the connections of an agent that never ran."""
    agent.preparer.close()
    for client in (agent.client, agent._polling, agent._fetching, agent._shipping):
        client.close()


def refusals(agent: Agent) -> dict[str, str]:
    """Return, of each revision that the agent follows, why nothing may run for it."""
    taken = agent.reconciler._taken
    return {pk: "" if v.allowed else v.reason for pk, v in taken[1].items()} if taken else {}


def handed(agent: Agent, platform: Platform, **changes: Any) -> dict[str, str]:
    """Hand the agent the next state; return what it refuses then."""
    platform.publish(**changes)
    agent.accept(platform.envelope)
    return refusals(agent)


@pytest.mark.parametrize(
    "fault",
    [
        {"variables": {"MODE\n": "x"}},
        {"variables": {"MODE": "a\0b"}},
        {"weight": 10_001},
        {"memory_mb": 1},
        {"guard": {"moon_phase": 1}},
        {"header_route": {"header": "X-Try", "value": "-f /etc/shadow"}},
        {"replicas": 1000},
        {"wanted": "dance"},
        {"bento_digest": "../../etc"},
        {"mirror": "all"},
        {"id": "rev/2"},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_a_revision_that_cannot_be_read_stops_no_other_and_no_recall(
    agent: Agent, platform: Platform, fault: Entry
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    bad = {**platform.revision(2, platform.build("bad")), **fault}
    platform.endpoints = [platform.endpoint(good, bad)]

    assert handed(agent, platform) == {"rev_1": ""}, "the other runs"
    _, envelope = recalled(platform, good["bento_digest"])
    assert "recalled" in handed(agent, platform, recalls=[envelope])["rev_1"]


@pytest.mark.parametrize("what", [None, "rev_2", [], 7])
def test_what_is_no_revision_stops_no_other(agent: Agent, platform: Platform, what: Any) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.endpoints = [platform.endpoint(good, what)]

    assert handed(agent, platform) == {"rev_1": ""}


@pytest.mark.parametrize(
    "fault",
    [{"keys": ["open sesame"]}, {"path": "/risk/x"}, {"id": "end_1"}, {"revisions": {}}],
    ids=lambda fault: next(iter(fault)),
)
def test_an_endpoint_that_cannot_be_read_stops_no_other_and_no_recall(
    agent: Agent, platform: Platform, fault: Entry
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    whole = platform.endpoint(good)
    other = {**platform.endpoint(), "id": "end_2", "name": "b", "path": "/cancer/production/b"}
    platform.endpoints = [whole]
    assert handed(agent, platform) == {"rev_1": ""}

    platform.endpoints = [whole, {**other, **fault}]
    assert handed(agent, platform) == {"rev_1": ""}
    newest = agent.reconciler.newest
    assert newest is not None
    assert newest.number == platform.number, "the state was taken"
    _, envelope = recalled(platform, good["bento_digest"])
    assert "recalled" in handed(agent, platform, recalls=[envelope])["rev_1"]


@pytest.mark.parametrize(
    "rest",
    [
        {"v": 2},
        {"endpoints": None},
        {"prefetch": {}},
        {"valid_until": "tomorrow"},
        {"on_expired": "whatever"},
        {"number": "7"},
        {"checkpoint": 7},
    ],
    ids=lambda rest: next(iter(rest)),
)
def test_a_state_that_cannot_be_read_still_teaches_what_is_recalled(
    agent: Agent, platform: Platform, rest: Entry
) -> None:
    """``issued_at`` is not here: without it nobody can say whether the key was good then."""
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.endpoints = [platform.endpoint(good)]
    assert handed(agent, platform) == {"rev_1": ""}

    _, envelope = recalled(platform, good["bento_digest"])
    assert "recalled" in handed(agent, platform, recalls=[envelope], **rest)["rev_1"]


@pytest.mark.parametrize("bad", [None, 7, {"payload": 1}, {"payload": "", "signatures": []}])
def test_a_malformed_recall_stops_none_of_the_others(
    agent: Agent, platform: Platform, bad: Any
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.endpoints = [platform.endpoint(good)]
    _, envelope = recalled(platform, good["bento_digest"])

    assert "recalled" in handed(agent, platform, recalls=[bad, envelope, bad]).get("rev_1", "")


def test_a_recall_by_a_key_of_nobody_keeps_no_other_from_being_learned_when_the_platform_is_away(
    agent: Agent, platform: Platform
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.endpoints = [platform.endpoint(good)]
    assert handed(agent, platform) == {"rev_1": ""}
    statement, envelope = recalled(platform, good["bento_digest"])
    forged = statement.sign(platform.root).to_dict()
    platform.publish(recalls=[forged, envelope])
    platform.down = True

    try:
        agent.accept(platform.envelope)
    except Exception as error:  # the poller logs it and tries again
        assert "recalled" in refusals(agent)["rev_1"], error
    assert "recalled" in refusals(agent)["rev_1"]


def test_a_real_node_goes_on_beside_a_revision_that_cannot_be_read(
    platform: Platform, node: NodeUnderTest
) -> None:
    good = platform.revision(1, platform.build("good"), weight=10_000)
    bad = {**platform.revision(2, platform.build("bad")), "variables": {"MODE\n": "x"}}
    platform.serve(good, bad)

    platform.wait_phase("rev_1", "serving")
    refused = platform.wait_phase("rev_2", "refused")
    assert "'MODE\\n' is not the name of a variable" in refused["detail"]
    assert node.who() == "good"
    told = len(platform.reports)
    platform.wait(lambda: len(platform.reports) > told)
    assert platform.seen("rev_2")["since"] == refused["since"]

    _, envelope = recalled(platform, good["bento_digest"])
    platform.publish(recalls=[envelope])
    assert "recalled" in platform.wait_phase("rev_1", "refused")["detail"]
    platform.wait(lambda: not node.agent.replicas.all)


def test_a_revision_whose_replica_cannot_be_started_stops_no_other_and_no_recall(
    platform: Platform, node: NodeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, where the record of the replica cannot be written."""
    start = node.agent.replicas.start

    def full(endpoint: str, revision: Any, *more: Any, **named: Any) -> Any:
        if revision.id == "rev_2":
            raise OSError(28, "No space left on device")
        return start(endpoint, revision, *more, **named)

    monkeypatch.setattr(node.agent.replicas, "start", full)
    good = platform.revision(1, platform.build("good"), weight=10_000)
    platform.serve(platform.revision(2, platform.build("bad")), good)

    platform.wait_phase("rev_1", "serving")
    failed = platform.wait_phase("rev_2", "failed")
    assert "No space left on device" in failed["detail"]
    _, envelope = recalled(platform, good["bento_digest"])
    platform.publish(recalls=[envelope])
    platform.wait_phase("rev_1", "refused")
    platform.wait(lambda: not node.agent.replicas.all)
