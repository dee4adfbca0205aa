"""A node whose agent is replaced in place by this release's, while clients call."""

import signal
from pathlib import Path
from typing import Any

from tests.integration.agent.conftest import PATH, NodeUnderTest
from tests.integration.agent.control import Platform
from tests.integration.agent.former import former_agent, former_code
from tests.integration.agent.load import Load
from tests.integration.agent.test_lifecycle import records
from tests.support.permits import SERVING

OLDER = {name: value for name, value in SERVING.items() if name != "egress"}


def approved_before(platform: Platform, number: int, bento: str, **more: Any) -> dict[str, Any]:
    """Return a revision whose permit is from before a release said what it may reach."""
    serving = {**OLDER, "variables": {}, "replicas": more.get("replicas", 1)}
    case = platform.case(bento, f"rel_{number}", serving=serving)
    return platform.revision(number, bento, permit=case.document(platform.keys["decision"]), **more)


def test_what_an_earlier_agent_serves_is_adopted_where_it_listens_and_started_apart_next(
    platform: Platform, joined: NodeUnderTest, tmp_path: Path
) -> None:
    code = former_code(tmp_path / "former")
    before = approved_before(platform, 1, platform.build("one"), weight=10_000, replicas=2)
    joined.processes.append(former_agent(code, joined.home.folder))
    platform.serve(before)
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == 2)
    assert platform.seen("rev_1")["isolation"] == "bwrap"
    adopted = records(joined)
    load = Load(joined.port, f"{PATH}/who").start()
    load.until(200)

    joined.processes[-1].send_signal(signal.SIGTERM)
    joined.processes[-1].wait(timeout=20)
    platform.reports.clear()
    joined.start_process()
    platform.wait(lambda: platform.seen("rev_1")["ready_replicas"] == 2)
    load.until(load.sent + 300)

    assert platform.seen("rev_1")["isolation"] == "older"
    now = {record["id"]: record for record in records(joined)}
    assert now.keys() == {record["id"] for record in adopted}

    platform.serve({**before, "restart_nonce": 1})
    platform.wait(lambda: not now.keys() & {record["id"] for record in records(joined)})
    load.until(load.sent + 200)
    assert {record["reached"] for record in records(joined)} == {"socket"}
    assert platform.seen("rev_1")["isolation"] == "older"  # as people approved it

    after = platform.revision(2, platform.build("two"))
    platform.serve(before | {"restart_nonce": 1}, after)
    platform.wait_phase("rev_2", "ready")
    platform.serve(before | {"restart_nonce": 1, "weight": 0}, {**after, "weight": 10_000})
    platform.wait(lambda: platform.seen("rev_2")["weight"] == 10_000)
    load.until(load.sent + 200)
    load.stop()

    assert platform.seen("rev_2")["isolation"] == "socket"
    assert joined.who() == "two"
    assert load.failures == []
