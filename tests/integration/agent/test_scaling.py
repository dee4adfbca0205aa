"""Replicas that a node scales by its load, with a real HAProxy and replicas that wait."""

import time

from placet_agent.scaling import MEAN_SECONDS, QUIET_SECONDS
from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.load import Load

BOUNDS = {"max_replicas": 4, "target_inflight": 2}


def ready(platform: Platform, revision: str) -> int:
    """Return how many replicas of a revision answer."""
    return int(platform.seen(revision)["ready_replicas"])


def under_load(node: NodeUnderTest, connections: int) -> Load:
    """Have so many requests of 100 ms in flight."""
    return Load(node.port, f"{PATH}/who?ms=100", connections=connections).start()


def test_replicas_come_with_the_load_and_go_after_it_and_no_request_is_lost(
    platform: Platform, node: NodeUnderTest
) -> None:
    platform.serve(
        platform.revision(1, platform.build("waits"), weight=10_000, **BOUNDS), stable="rev_1"
    )
    platform.wait_phase("rev_1", "serving")

    load, began = under_load(node, 6), time.monotonic()
    platform.wait(lambda: ready(platform, "rev_1") == 3)
    assert time.monotonic() - began >= MEAN_SECONDS
    more = under_load(node, 12)
    platform.wait(lambda: ready(platform, "rev_1") == 4)  # and no more than were approved
    more.stop()
    fewer, quiet = Load(node.port, f"{PATH}/who?ms=100", connections=1).start(), time.monotonic()
    load.stop()
    platform.wait(lambda: ready(platform, "rev_1") == 1)
    assert time.monotonic() - quiet >= QUIET_SECONDS
    fewer.stop()

    assert load.failures + more.failures + fewer.failures == []
    assert platform.seen("rev_1")["phase"] == "serving"
    assert platform.seen("rev_1")["restarts"] == 0


def test_requests_that_wait_for_a_replica_count(platform: Platform, node: NodeUnderTest) -> None:
    limits = {"in_flight": 1}
    only = platform.revision(1, platform.build("waits"), weight=10_000, limits=limits, **BOUNDS)
    platform.serve(only, stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    load = under_load(node, 6)
    platform.wait(lambda: ready(platform, "rev_1") == 3)
    load.stop()
    assert load.failures == []


def test_what_runs_is_kept_by_the_next_agent_and_while_a_candidate_takes_over(
    platform: Platform, node: NodeUnderTest
) -> None:
    old = platform.revision(1, platform.build("old"), weight=10_000, **BOUNDS)
    platform.serve(old, stable="rev_1")
    platform.wait_phase("rev_1", "serving")
    load = under_load(node, 6)
    platform.wait(lambda: ready(platform, "rev_1") == 3)
    node.stop()
    node.start()
    new = platform.revision(2, platform.build("new"), weight=5_000, **BOUNDS)
    platform.serve({**old, "weight": 5_000}, new, stable="rev_1")
    # Half of the requests go to the candidate, and all of them may come back.
    platform.wait(lambda: (ready(platform, "rev_1"), ready(platform, "rev_2")) == (3, 2))
    platform.serve({**old, "weight": 0}, {**new, "weight": 10_000}, stable="rev_2")
    platform.wait(lambda: (ready(platform, "rev_1"), ready(platform, "rev_2")) == (3, 3))
    load.stop()
    assert load.failures == []
    assert load.names["old"] > 0 < load.names["new"]


def test_a_node_refuses_bounds_that_nobody_approved(
    platform: Platform, node: NodeUnderTest
) -> None:
    bento = platform.build("waits")
    platform.serve(platform.revision(1, bento, min_replicas=1), stable="rev_1")
    refused = platform.wait_phase("rev_1", "refused")
    assert "min_replicas: needs target_inflight" in refused["detail"]


def test_an_agent_that_comes_amid_a_restart_counts_old_and_new_once(
    platform: Platform, node: NodeUnderTest
) -> None:
    slow = {"READY_AFTER": "3"}
    bounds = {"min_replicas": 1, "max_replicas": 8, "target_inflight": 2}
    only = platform.revision(
        1, platform.build("waits"), weight=10_000, replicas=2, variables=slow, **bounds
    )
    platform.serve(only, stable="rev_1")
    platform.wait(lambda: ready(platform, "rev_1") == 2)
    platform.serve({**only, "restart_nonce": 1}, stable="rev_1")
    platform.wait(lambda: begun_anew(node) == 2)
    node.stop()
    node.start()
    platform.wait(lambda: node.agent.replicas.all)
    most = 0

    def replaced() -> bool:
        nonlocal most
        most = max(most, begun_anew(node))
        return all(r.record.nonce for r in list(node.agent.replicas.all.values()))

    platform.wait(replaced)
    assert most == 2


def begun_anew(node: NodeUnderTest) -> int:
    """Return how many replicas there are of those that a restart begins."""
    return sum(r.record.nonce == 1 for r in list(node.agent.replicas.all.values()))
