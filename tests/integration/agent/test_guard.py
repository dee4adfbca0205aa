"""A node that takes requests back by itself, with a real HAProxy and nobody to ask."""

import json

from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.load import Load

GUARD = {"consecutive_failures": 5}


def test_with_the_platform_away_a_node_gives_everything_back_to_stable_for_good(
    platform: Platform, joined: NodeUnderTest
) -> None:
    """Through a ``kill -9`` of the agent, and through newer states of the same rollout."""
    node = joined
    old = platform.revision(1, platform.build("stable"), weight=5_000)
    new = platform.revision(2, platform.build("candidate"), weight=5_000, guard=GUARD)
    node.start_process()
    platform.serve(old, new, stable="rev_1")
    platform.wait(lambda: platform.seen("rev_2")["weight"] == 5_000)

    platform.down = True
    load = Load(node.port, f"{PATH}/who", connections=1).start()
    load.until(20)
    assert load.names["candidate"] > 0
    load.stop()
    failed: list[str] = []
    while failed.count("candidate") < 5:  # both fail alike: what stable does counts for nothing
        failed.append(node.get("/status/503").json()["name"])
    aborts = node.home.folder / "aborts.json"
    platform.wait(lambda: json.loads(aborts.read_text()) if aborts.exists() else False)
    platform.wait(lambda: {node.who() for _ in range(6)} == {"stable"})

    node.kill_process()
    assert {node.who() for _ in range(10)} == {"stable"}
    node.start_process()
    again = Load(node.port, f"{PATH}/who", connections=2).start()
    again.until(200)
    platform.down = False
    platform.wait(lambda: platform.reports[-1]["aborts"])
    (abort,) = platform.reports[-1]["aborts"]
    assert (abort["revision"], abort["stable"], abort["rule"], abort["state"]) == (
        "rev_2",
        "rev_1",
        "consecutive_failures",
        {"epoch": 1, "number": 1},
    )
    assert abort["detail"] == "5 answers in a row were server errors"

    old["weight"], new["weight"] = 2_000, 8_000  # the platform goes on with what it knew
    platform.serve(old, new, stable="rev_1")
    platform.wait(lambda: platform.reports[-1]["applied"]["number"] == 2)
    again.until(again.sent + 200)
    again.stop()
    assert again.failures == []
    assert set(again.names) == {"stable"}
    assert platform.seen("rev_2")["weight"] == 0

    third = platform.revision(3, platform.build("third"), weight=5_000, guard=GUARD)
    platform.serve({**old, "weight": 5_000}, third, stable="rev_1")
    platform.wait(lambda: platform.seen("rev_3")["weight"] == 5_000)
    platform.wait(lambda: platform.reports[-1]["aborts"] == [])
    assert {node.who() for _ in range(4)} == {"stable", "third"}
